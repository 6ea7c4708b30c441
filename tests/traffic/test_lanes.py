"""Lanes: order within one, fairness among peers and among the lanes of each, control lanes."""

from __future__ import annotations

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.traffic import ControlLane, Lane, Lanes

LANES: list[Lane] = [0, 1, 2, ControlLane.RETRANSMISSION, ControlLane.SURB_REQUEST]
PEERS = ["alice", "bob"]


def _drain(lanes: Lanes[int]) -> list[int]:
    drained = []
    while (item := lanes.pop()) is not None:
        drained.append(item)
    return drained


def _filled(*pushes: tuple[Lane, str, int]) -> Lanes[str]:
    """Return lanes with so many items each, which are called after lane and peer."""
    lanes: Lanes[str] = Lanes()
    for lane, peer, count in pushes:
        for _ in range(count):
            lanes.push(lane, peer, f"{getattr(lane, 'value', lane)}/{peer}")
    return lanes


def test_one_lane_is_first_in_first_out() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(5):
        lanes.push(7, "alice", number)
    assert _drain(lanes) == list(range(5))


def test_lanes_of_a_peer_take_turns_whatever_their_length() -> None:
    lanes = _filled((0, "alice", 1000), (1, "alice", 3))
    assert [lanes.pop() for _ in range(7)] == ["0/alice", "1/alice"] * 3 + ["0/alice"]


def test_peers_take_turns_whatever_the_number_of_their_lanes() -> None:
    lanes = _filled(*((lane, "alice", 9) for lane in range(50)), (99, "bob", 3), (98, "bob", 9))
    popped = [lanes.pop() for _ in range(16)]
    assert Counter(str(item).split("/")[1] for item in popped) == {"alice": 8, "bob": 8}
    assert popped[1::2][:4] == ["99/bob", "98/bob", "99/bob", "98/bob"]


def test_control_lanes_get_every_second_slot() -> None:
    lanes = _filled(
        (0, "alice", 100),
        (ControlLane.RETRANSMISSION, "alice", 100),
        (ControlLane.ADDITIONAL_SURBS, "alice", 100),
    )
    counts = Counter(str(lanes.pop()).split("/")[0] for _ in range(80))
    assert counts == {"0": 40, "retransmission": 20, "additional-surbs": 20}


def test_peers_take_turns_in_a_control_lane() -> None:
    lane = ControlLane.ADDITIONAL_SURBS
    lanes = _filled((lane, "alice", 100), (lane, "bob", 2))
    assert [lanes.pop() for _ in range(4)] == [f"{lane.value}/{peer}" for peer in PEERS] * 2


def test_discarding_empties_one_lane_only_for_all_peers() -> None:
    lanes = _filled((0, "alice", 3), (1, "alice", 3), (0, "bob", 2))
    assert lanes.discard(0) == ["0/alice"] * 3 + ["0/bob"] * 2
    assert lanes.discard(0) == []
    assert len(lanes) == 3
    assert [lanes.pop() for _ in range(4)] == ["1/alice"] * 3 + [None]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["push", "push", "pop", "discard"]),
            st.sampled_from(LANES),
            st.sampled_from(PEERS),
        ),
        max_size=200,
    )
)
def test_nothing_is_lost_or_reordered_within_a_lane(steps: list[tuple[str, Lane, str]]) -> None:
    lanes: Lanes[tuple[Lane, str, int]] = Lanes()
    model: dict[tuple[Lane, str], deque[int]] = {(a, b): deque() for a in LANES for b in PEERS}
    for number, (action, lane, peer) in enumerate(steps):
        if action == "push":
            lanes.push(lane, peer, (lane, peer, number))
            model[lane, peer].append(number)
        elif action == "discard" and isinstance(lane, int):
            dropped = lanes.discard(lane)
            for each in PEERS:
                expected = [(lane, each, item) for item in model[lane, each]]
                assert [item for item in dropped if item[1] == each] == expected
                model[lane, each].clear()
        elif (popped := lanes.pop()) is not None:
            assert model[popped[0], popped[1]].popleft() == popped[2]
        else:
            assert not any(model.values())
        assert len(lanes) == sum(map(len, model.values()))
