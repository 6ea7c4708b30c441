"""Room: limits by key and in total, turns, quotas, and what is parked."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nymproxy.mixnet.traffic import Reservation, Room


class TestRoom:
    def test_an_empty_lane_admits_any_message(self) -> None:
        room = Room(10, 100)
        assert room.reserve(0, 5000, lambda: None).granted
        assert room.total == 5000

    def test_a_full_lane_makes_wait_until_there_is_room(self) -> None:
        room = Room(10, 100)
        granted: list[str] = []
        room.reserve(0, 12, lambda: None)
        first = room.reserve(0, 3, lambda: granted.append("first"))
        second = room.reserve(0, 3, lambda: granted.append("second"))
        assert not first.granted
        room.release(0, 2)
        assert granted == []
        room.release(0, 3)  # 7 + 3 = 10: the second still waits
        assert granted == ["first"]
        room.release(0, 1)
        assert granted == ["first", "second"]
        assert second.granted

    def test_other_lanes_do_not_wait_for_a_full_one(self) -> None:
        room = Room(10, 100)
        room.reserve(0, 10, lambda: None)
        assert not room.reserve(0, 1, lambda: None).granted
        assert room.reserve(1, 1, lambda: None).granted

    def test_the_total_makes_everybody_wait_and_then_admits_all(self) -> None:
        room = Room(10, 20)
        for lane in range(2):
            room.reserve(lane, 10, lambda: None)
        waiting = [room.reserve(lane, 1, lambda: None) for lane in range(2, 5)]
        assert not any(reservation.granted for reservation in waiting)
        room.release(0, 5)
        assert all(reservation.granted for reservation in waiting)

    def test_a_cancelled_waiter_lets_the_next_one_through(self) -> None:
        room = Room(10, 100)
        room.reserve(0, 10, lambda: None)
        first = room.reserve(0, 1, lambda: None)
        second = room.reserve(0, 1, lambda: None)
        room.cancel(first)
        room.release(0, 10)
        assert second.granted
        assert not first.granted
        room.cancel(second)
        assert room.total == 0

    def test_cancelling_the_only_waiter_leaves_no_trace(self) -> None:
        room = Room(1, 10)
        first = room.reserve(0, 1, lambda: None)
        second = room.reserve(0, 1, lambda: None)
        room.cancel(second)
        room.cancel(second)
        room.release(0)
        assert first.granted
        assert room.used(0) == 0
        assert room.reserve(0, 1, lambda: None).granted


class TestTurns:
    def test_peers_take_turns_for_the_total_and_the_keys_of_each(self) -> None:
        room = Room(10, 10)
        room.reserve("full", 10, lambda: None, peer="other")
        granted: list[tuple[str, int]] = []
        for peer, keys in (("alice", 3), ("bob", 1)):
            for number in range(keys * 2):
                key = (peer, number % keys)
                room.reserve(key, 1, lambda key=key: granted.append(key), peer=peer)  # type: ignore[misc]
        for _ in range(8):
            room.release("full")
        assert granted[:4] == [("alice", 0), ("bob", 0), ("alice", 1), ("bob", 0)]
        assert granted[4:] == [("alice", 2), ("alice", 0), ("alice", 1), ("alice", 2)]

    def test_whoever_waits_for_its_own_limit_does_not_stand_in_the_way(self) -> None:
        room = Room(5, 10)
        room.reserve("a", 5, lambda: None)
        own = room.reserve("a", 1, lambda: None)
        room.reserve("b", 5, lambda: None)
        total = room.reserve("c", 1, lambda: None)
        room.release("b")
        assert (own.granted, total.granted) == (False, True)

    def test_cancelling_the_first_of_a_key_lets_the_next_wait_in_its_place(self) -> None:
        room = Room(5, 5)
        room.reserve("a", 5, lambda: None)
        first, second = (room.reserve("b", 1, lambda: None) for _ in range(2))
        room.cancel(second)
        third = room.reserve("b", 1, lambda: None)
        room.cancel(first)
        room.release("a")
        assert third.granted


class TestQuotas:
    def test_a_key_below_its_quota_does_not_wait_for_the_total(self) -> None:
        room = Room(10, 20, quota=2, peer_quota=4)
        room.reserve("a", 20, lambda: None, peer="a")
        asked = [room.reserve("b", packets, lambda: None, peer="b") for packets in (2, 1)]
        assert [each.granted for each in asked] == [True, False]
        room.release("b")
        assert asked[1].granted

    def test_nor_do_the_keys_of_one_peer_but_no_more_than_its_quota(self) -> None:
        room = Room(10, 20, quota=2, peer_quota=4)
        room.reserve("a", 20, lambda: None, peer="a")
        assert room.reserve("b", 2, lambda: None, peer="b").granted
        assert room.reserve("c", 2, lambda: None, peer="b").granted
        asked = [room.reserve(key, 1, lambda: None, peer=peer) for key, peer in ("db", "ea")]
        assert not any(each.granted for each in asked)
        room.release("b")  # of the same peer
        assert [each.granted for each in asked] == [True, False]

    def test_whoever_is_to_wait_for_the_total_may_have_something_released(self) -> None:
        asked = []

        def on_full(key: object, is_crowded: bool) -> None:
            asked.append((key, is_crowded))
            room.release("a", 15)

        room = Room(10, 10, on_full=on_full)
        room.reserve("a", 20, lambda: None)
        assert room.reserve("b", 1, lambda: None).granted
        assert asked == [("b", True)]

    def test_where_quotas_have_filled_it_again_only_the_first_of_a_key_does_not_wait(self) -> None:
        asked = []
        room = Room(9, 10, quota=6, peer_quota=6, on_full=lambda *about: asked.append(about))
        for key in "abcd":
            room.reserve(key, 5, lambda: None)
        second = room.reserve("d", 1, lambda: None)
        assert (room.total, second.granted) == (20, False)
        assert room.reserve("e", 5, lambda: None).granted
        assert asked == [("c", False), ("d", False), ("d", False), ("e", True)]
        room.release("a", 5)
        room.release("b", 5)
        assert not second.granted
        room.release("d", 1)
        assert second.granted


class TestParking:
    def test_what_is_parked_counts_under_its_key_only(self) -> None:
        room = Room(5, 10)
        room.reserve("a", 5, lambda: None)
        room.reserve("b", 5, lambda: None)
        waiting = room.reserve("c", 3, lambda: None)
        room.park("a", 5)
        assert waiting.granted
        assert (room.used("a"), room.total) == (5, 8)
        assert not room.reserve("a", 1, lambda: None).granted
        room.unpark(2)
        assert room.total == 10
        room.release("a", 3, parked=True)
        room.release("a", 2)
        assert room.total == 8 + 1  # what waited for its own limit


class RoomMachine(RuleBasedStateMachine):
    """Room against a list of what was asked for, in order."""

    LIMIT, TOTAL, QUOTA, PEER_QUOTA = 5, 8, 2, 3

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(self.LIMIT, self.TOTAL, quota=self.QUOTA, peer_quota=self.PEER_QUOTA)
        self.waiting: list[Reservation] = []
        self.granted: list[Reservation] = []

    def _sort(self) -> None:
        self.granted += [reservation for reservation in self.waiting if reservation.granted]
        self.waiting = [reservation for reservation in self.waiting if not reservation.granted]

    @rule(key=st.integers(0, 3), packets=st.integers(1, 7))
    def reserve(self, key: int, packets: int) -> None:
        peer = "one" if key < 2 else "two"
        self.waiting.append(self.room.reserve(key, packets, lambda: None, peer=peer))

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def release_one(self, data: st.DataObject) -> None:
        reservation = data.draw(st.sampled_from(self.granted))
        self.room.release(reservation.key)
        reservation.packets -= 1
        if not reservation.packets:
            self.granted.remove(reservation)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        reservation = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(reservation)
        self.room.cancel(reservation)

    @invariant()
    def granted_exactly_when_there_is_room(self) -> None:
        self._sort()
        used: Counter[object] = Counter()
        for reservation in self.granted:
            used[reservation.key] += reservation.packets
            used[reservation.peer] += reservation.packets
        total = used["one"] + used["two"]
        assert self.room.total == total
        for key in range(4):
            assert self.room.used(key) == used[key]
        for waiting in self.waiting:
            assert used[waiting.key] >= self.LIMIT or (
                total >= self.TOTAL
                and (used[waiting.key] >= self.QUOTA or used[waiting.peer] >= self.PEER_QUOTA)
            )


TestRoomMachine = RoomMachine.TestCase
