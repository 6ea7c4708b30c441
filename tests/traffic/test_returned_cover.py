"""Whom the next cover goes to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.traffic import ReturnedCover
from tests.legacy.addresses import some_address

SERVER, STRANGER = some_address("server"), some_address("stranger")


def test_each_packet_of_a_peer_is_returned_once_in_order() -> None:
    returned = ReturnedCover()
    assert returned.take(0.0) is None
    for peer in (SERVER, STRANGER, SERVER):
        returned.came(peer, 0.0)
    assert [returned.take(0.1) for _ in range(4)] == [SERVER, STRANGER, SERVER, None]


def test_packets_of_ours_pay_after_and_before() -> None:
    returned = ReturnedCover()
    for _ in range(3):
        returned.came(SERVER, 0.0)
    returned.left(2)
    assert [returned.take(0.0) for _ in range(2)] == [SERVER, None]
    returned.left(100)
    for _ in range(5):
        returned.came(SERVER, 1.0)
    assert [returned.take(1.0) for _ in range(2)] == [SERVER, None]


def test_what_is_owed_is_forgotten_when_no_more_comes() -> None:
    returned = ReturnedCover()
    returned.came(SERVER, 0.0)
    returned.came(SERVER, 1.0)
    assert returned.take(1.1) is SERVER
    assert returned.take(1.3) is None


@given(st.lists(st.sampled_from(["came", "left", "take"])))
def test_no_more_is_returned_than_came(steps: list[str]) -> None:
    returned, came = ReturnedCover(), 0
    for step in steps:
        if step == "came":
            returned.came(SERVER, 0.0)
            came += 1
        elif step == "left":
            returned.left(1)
        elif returned.take(0.0) is not None:
            came -= 1
        assert came >= 0


def test_a_flood_is_not_remembered() -> None:
    returned = ReturnedCover()
    for _ in range(1_000):
        returned.came(SERVER, 0.0)
    assert sum(returned.take(0.0) is not None for _ in range(1_000)) == 256
