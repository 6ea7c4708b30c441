"""Correspondents: who is forgotten for whom, and what waits for SURBs in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import SenderTag
from nymproxy.errors import DeliveryAbandoned
from nymproxy.mixnet.traffic import ControlLane, Lane, OutgoingFragment, SurbStock
from nymproxy.mixnet.traffic.correspondents import Correspondent, Correspondents
from tests.traffic.helpers import EVEN_ID, make_fragment

TAGS = [SenderTag(bytes([number] * 16)) for number in range(6)]


def correspondent() -> Correspondent:
    return Correspondent(SurbStock(EVEN_ID, 100), 0.0)


def add_waiting(to: Correspondent, lane: Lane, count: int) -> list[OutgoingFragment]:
    fragments = [make_fragment() for _ in range(count)]
    if isinstance(lane, ControlLane):
        to.retransmissions.extend(fragments)
    else:
        to.wait(lane, fragments)
    return fragments


class TestWaiting:
    def test_retransmissions_come_first_and_then_the_lanes_in_turn(self) -> None:
        one = correspondent()
        first, second = add_waiting(one, 1, 2), add_waiting(one, 2, 1)
        again = add_waiting(one, ControlLane.RETRANSMISSION, 1)
        assert one.is_waiting
        assert one.demand == 4
        dropped: list[OutgoingFragment] = []
        taken = [one.next_waiting(dropped) for _ in range(5)]
        assert taken == [
            (ControlLane.RETRANSMISSION, again[0]),
            (1, first[0]),
            (2, second[0]),
            (1, first[1]),
            None,
        ]
        assert dropped == []

    def test_what_was_given_up_is_dropped_on_the_way(self) -> None:
        one = correspondent()
        first, second = add_waiting(one, 1, 2)
        first.message.give_up(DeliveryAbandoned("given up"))
        dropped: list[OutgoingFragment] = []
        assert one.next_waiting(dropped) == (1, second)
        assert dropped == [first]

    def test_a_lane_can_be_taken_out(self) -> None:
        one = correspondent()
        fragments = add_waiting(one, 1, 2)
        add_waiting(one, 2, 1)
        assert one.discard(1) == fragments
        assert one.discard(1) == []
        assert one.demand == 1


class TestForgetting:
    def test_the_one_not_heard_of_for_longest_goes(self) -> None:
        store = Correspondents(2, 2)
        for tag in TAGS[:2]:
            assert store.add(tag, correspondent()) is None
        oldest = store.heard_of(TAGS[0])
        assert store.heard_of(TAGS[5]) is None
        other = store.get(TAGS[1])
        assert store.add(TAGS[2], correspondent()) is other
        assert store.get(TAGS[0]) is oldest
        assert [tag for tag, _ in store.by_age()] == [TAGS[0], TAGS[2]]

    @given(st.lists(st.tuples(st.sampled_from(range(6)), st.sampled_from("ahlf")), max_size=60))
    def test_never_more_than_the_maximum_and_no_live_one_while_others_are_there(
        self, steps: list[tuple[int, str]]
    ) -> None:
        store = Correspondents(3, 3)
        holders = dict.fromkeys(TAGS, 0)
        for number, action in steps:
            tag = TAGS[number]
            if action == "h":
                store.hold(tag)
                holders[tag] += 1
            elif action == "l" and holders[tag]:
                store.let_go(tag)
                holders[tag] -= 1
            elif action == "f" and tag in store:
                store.forget(tag)
            elif action == "a" and store.heard_of(tag) is None:
                before = [each for each, _ in store.by_age()]
                store.add(tag, correspondent())
                gone = set(before) - {each for each, _ in store.by_age()}
                if any(holders[each] for each in gone):
                    assert all(holders[each] for each in before)
            assert len(store) <= 3
            assert store.is_live(tag) == (holders[tag] > 0)
