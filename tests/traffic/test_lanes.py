"""Lanes: order within one, fairness among them, control lanes; and the room before them."""

from __future__ import annotations

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nymproxy.mixnet.traffic import ControlLane, Lane, Lanes, Reservation, Room

LANES: list[Lane] = [0, 1, 2, ControlLane.RETRANSMISSION, ControlLane.SURB_REQUEST]


def _drain(lanes: Lanes[int]) -> list[tuple[Lane, int]]:
    drained = []
    while (popped := lanes.pop()) is not None:
        drained.append(popped)
    return drained


def test_one_lane_is_first_in_first_out() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(5):
        lanes.push(7, number)
    assert _drain(lanes) == [(7, number) for number in range(5)]


def test_lanes_take_turns_whatever_their_length() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(1000):
        lanes.push(0, number)
    for number in range(3):
        lanes.push(1, number)
    assert [lanes.pop() for _ in range(6)] == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]


def test_control_lanes_get_every_second_slot() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(100):
        lanes.push(0, number)
        lanes.push(ControlLane.RETRANSMISSION, number)
        lanes.push(ControlLane.ADDITIONAL_SURBS, number)
    counts = Counter(popped[0] for popped in (lanes.pop() for _ in range(80)) if popped)
    assert counts == {0: 40, ControlLane.RETRANSMISSION: 20, ControlLane.ADDITIONAL_SURBS: 20}


def test_discarding_empties_one_lane_only() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(3):
        lanes.push(0, number)
        lanes.push(1, number)
    assert lanes.discard(0) == [0, 1, 2]
    assert lanes.discard(0) == []
    assert len(lanes) == 3
    assert _drain(lanes) == [(1, 0), (1, 1), (1, 2)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["push", "push", "pop", "discard"]), st.sampled_from(LANES)),
        max_size=200,
    )
)
def test_nothing_is_lost_or_reordered_within_a_lane(steps: list[tuple[str, Lane]]) -> None:
    lanes: Lanes[int] = Lanes()
    model: dict[Lane, deque[int]] = {lane: deque() for lane in LANES}
    for number, (action, lane) in enumerate(steps):
        if action == "push":
            lanes.push(lane, number)
            model[lane].append(number)
        elif action == "discard":
            assert lanes.discard(lane) == list(model[lane])
            model[lane].clear()
        elif (popped := lanes.pop()) is not None:
            assert model[popped[0]].popleft() == popped[1]
        else:
            assert not any(model.values())
        assert len(lanes) == sum(map(len, model.values()))
        assert all(lanes.waiting(lane) == len(model[lane]) for lane in LANES)


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


class RoomMachine(RuleBasedStateMachine):
    """Room against a list of what was asked for, in order."""

    LIMIT, TOTAL = 5, 8

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(self.LIMIT, self.TOTAL)
        self.waiting: list[Reservation] = []
        self.granted: list[Reservation] = []

    def _sort(self) -> None:
        self.granted += [reservation for reservation in self.waiting if reservation.granted]
        self.waiting = [reservation for reservation in self.waiting if not reservation.granted]

    @rule(key=st.integers(0, 2), packets=st.integers(1, 7))
    def reserve(self, key: int, packets: int) -> None:
        self.waiting.append(self.room.reserve(key, packets, lambda: None))

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
        used = [sum(r.packets for r in self.granted if r.key == key) for key in range(3)]
        assert [self.room.used(key) for key in range(3)] == used
        assert self.room.total == sum(used)
        for key in range(3):
            if any(reservation.key == key for reservation in self.waiting):
                assert used[key] >= self.LIMIT or sum(used) >= self.TOTAL


TestRoomMachine = RoomMachine.TestCase
