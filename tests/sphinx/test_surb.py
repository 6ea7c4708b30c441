from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx import PacketSize, Surb, partially_unwrap, recover_plaintext
from tests.sphinx.routes import Journey, attempt, four_hops, journeys, seeded


@given(
    journeys(), st.sampled_from([258, 259]), st.sampled_from([PacketSize.REGULAR, PacketSize.ACK])
)
def test_a_surb_brings_the_message_to_its_creator(
    journey: Journey, version: int, size: PacketSize
) -> None:
    surb = Surb.from_material(journey.material(version))
    data = surb.to_bytes()
    assert len(data) == 380 + len(journey.nodes) * (16 if version == 259 else 192)
    received = Surb.parse(data)
    assert received == surb
    assert received.first_hop == journey.nodes[0].address
    plaintext = seeded(journey.seed)(size.plaintext_length)
    packet = received.use(plaintext, size)
    assert len(packet) == size.packet_length
    final = journey.walk(packet)
    assert final.version == version
    assert recover_plaintext(final.payload) == plaintext


def test_two_uses_have_the_same_replay_tag() -> None:
    journey = four_hops()
    surb = Surb.from_material(journey.material())
    key = journey.nodes[0].private_key
    first = surb.use(bytes(21), PacketSize.ACK)
    second = surb.use(b"x" * 2048, PacketSize.REGULAR)
    assert partially_unwrap(first, key).replay_tag == partially_unwrap(second, key).replay_tag


@given(st.binary(max_size=1500))
@example(bytes(395))
@example(bytes(396))
@example(bytes(380 + 191))
@example(bytes(380 + 192))
def test_parse_never_crashes(data: bytes) -> None:
    surb = attempt(lambda: Surb.parse(data))
    if isinstance(surb, SphinxError):
        assert surb.kind is SphinxErrorKind.INVALID_SURB
        return
    assert surb.to_bytes() == data
    assert len(surb.use(bytes(21), PacketSize.ACK)) == PacketSize.ACK.packet_length


@given(st.binary(min_size=32, max_size=32), st.integers(1, 5))
def test_an_address_that_is_none_shows_when_it_is_asked_for(field: bytes, count: int) -> None:
    surb = Surb.parse(bytes(348) + field + bytes(16 * count))
    address = attempt(lambda: surb.first_hop)
    if isinstance(address, SphinxError):
        assert address.kind is SphinxErrorKind.INVALID_ROUTING
    else:
        assert field.startswith(address.pack())


@pytest.mark.parametrize("length", [0, 20, 22, 2048])
def test_a_plaintext_must_fill_the_packet(length: int) -> None:
    surb = Surb.from_material(four_hops().material())
    with pytest.raises(SphinxError) as caught:
        surb.use(bytes(length), PacketSize.ACK)
    assert caught.value.kind is SphinxErrorKind.INVALID_PAYLOAD
