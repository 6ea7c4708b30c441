"""How many reply SURBs go along, and what has room in a packet."""

from __future__ import annotations

import pytest

from nymproxy.address import SenderTag
from nymproxy.mixnet.messages import (
    REPLY_SURB_LENGTH,
    RepliableKind,
    RepliableMessage,
    encode_message,
    fragment_length,
    fragments_needed,
)
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.stream.nx2.supply import (
    CONTROL_SURBS,
    MAX_OPENING_BYTES,
    PACKET_BYTES,
    SurbSupply,
    has_room,
)

_OFFER_BYTES = 70  # header, fields and MAC


@pytest.mark.parametrize(
    ("wanted", "held", "given"),
    [
        (20, 0, 17),
        (20, 39, 17),
        (20, 40, 3),
        (100, 199, 97),
        (100, 200, 3),
        (2, 1000, 2),
        (6, 0, 6),
    ],
)
def test_of_an_opening(wanted: int, held: int, given: int) -> None:
    """Who asks for more wants more to be there; who asks for few gets no more."""
    supply = SurbSupply()
    supply.held = lambda: held
    assert supply.for_opening(wanted) == given
    owed = 3 if given == wanted - 3 else 0
    assert [supply.for_data(1), supply.for_data(1)] == [max(1, owed), 1]


def test_a_link_that_knows_nothing_gives_all() -> None:
    supply = SurbSupply()
    assert supply.for_opening(20) + supply.for_data(0) == 20
    assert supply.for_control() == CONTROL_SURBS


@pytest.mark.parametrize(
    ("data_bytes", "held", "given", "packets"),
    [
        (100, 40, 3, 1),
        (500, 40, 2, 1),
        (1000, 40, 1, 1),
        (1500, 40, 0, 1),
        (1700, 40, 3, 2),
        (MAX_OPENING_BYTES, 40, 2, 2),
        (100, 39, 20, 6),
        (MAX_OPENING_BYTES, 39, 20, 8),
    ],
)
def test_of_an_opening_with_data(data_bytes: int, held: int, given: int, packets: int) -> None:
    """Where the peer has enough, none that takes a packet more. Counted as the client counts."""
    supply = SurbSupply()
    supply.held = lambda: held
    assert supply.for_opening(20, data_bytes) == given
    message = RepliableMessage(
        SenderTag(bytes(16)), RepliableKind.DATA, (), bytes(_OFFER_BYTES + data_bytes)
    )
    length = len(encode_message(message)) + given * REPLY_SURB_LENGTH
    assert fragments_needed(length, fragment_length(PacketSize.REGULAR) - 1)[0] == packets
    assert supply.for_data(1) == 1


@pytest.mark.parametrize(("held", "given"), [(0, 0), (39, 0), (40, 3), (199, 3), (200, 0)])
def test_of_an_end(held: int, given: int) -> None:
    """What the answer took, where an opening brings few."""
    supply = SurbSupply()
    supply.held = lambda: held
    assert supply.for_end() == given


def test_an_end_brings_what_an_opening_without_data_owes() -> None:
    supply = SurbSupply()
    supply.for_opening(20)
    assert [supply.for_end(), supply.for_end()] == [3, 0]


def test_more_has_room_in_what_a_packet_leaves() -> None:
    assert has_room(PACKET_BYTES - 103, 100)
    assert not has_room(PACKET_BYTES - 102, 100)
    assert has_room(PACKET_BYTES, PACKET_BYTES - 10)
    assert not has_room(2 * PACKET_BYTES + 1, 1)
