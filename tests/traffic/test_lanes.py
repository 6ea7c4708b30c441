"""Lanes: order within one, fairness among peers and among the lanes of each, control lanes."""

from __future__ import annotations

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.traffic import ControlLane, Lane, Lanes
from nymproxy.mixnet.traffic.standing import Rank

LANES: list[Lane] = [0, 1, 2, ControlLane.RETRANSMISSION, ControlLane.SURB_REQUEST]
PEERS = ["alice", "bob"]
RANK_LETTERS = {"p": Rank.PROVEN, "n": Rank.NEW, "s": Rank.SILENT}


def _proven(_peer: object) -> Rank:
    return Rank.PROVEN


def _drain(lanes: Lanes[int]) -> list[int]:
    drained = []
    while (item := lanes.pop()) is not None:
        drained.append(item)
    return drained


def _filled(*pushes: tuple[Lane, str, int]) -> Lanes[str]:
    """Return lanes with so many items each, which are called after lane and peer."""
    lanes: Lanes[str] = Lanes(_proven)
    for lane, peer, count in pushes:
        for _ in range(count):
            lanes.push(lane, peer, f"{getattr(lane, 'value', lane)}/{peer}")
    return lanes


def test_one_lane_is_first_in_first_out() -> None:
    lanes: Lanes[int] = Lanes(_proven)
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


def test_who_had_nothing_waiting_is_next_whoever_waits() -> None:
    lanes = _filled(*((1, f"bulk {number}", 9) for number in range(50)))
    for _ in range(300):
        lanes.pop()  # each has had its first turns
    for _ in range(6):
        lanes.push(1, "short", "answer")
    lanes.push(2, "bulk 49", "more")
    popped = [lanes.pop() for _ in range(20)]
    assert "more" not in popped
    assert popped[:8].count("answer") == 4
    assert popped.count("answer") == 4  # it is not that short


def test_short_answers_leave_the_others_every_second_slot() -> None:
    lanes = _filled((1, "bulk", 50))
    for _ in range(5):
        lanes.pop()
    popped = []
    for number in range(40):
        lanes.push(1, f"short {number}", "answer")
        popped.append(lanes.pop())
    assert Counter(popped) == {"1/bulk": 20, "answer": 20}


def _ranked(*pushes: tuple[Lane, str, int]) -> tuple[Lanes[str], dict[str, Rank]]:
    """Return lanes of peers whose rank is that of their first letter, and these ranks."""
    ranks = {peer: RANK_LETTERS[peer[0]] for _, peer, _ in pushes}
    lanes: Lanes[str] = Lanes(lambda peer: ranks[str(peer)])
    for lane, peer, count in pushes:
        for _ in range(count):
            lanes.push(lane, peer, peer)
    return lanes, ranks


def test_proven_peers_get_four_of_eight_slots_new_ones_three_and_silent_ones_one() -> None:
    lanes, _ = _ranked(
        (1, "proven", 99),
        *((1, f"new {number}", 1) for number in range(99)),
        *((1, f"silent {number}", 9) for number in range(99)),
    )
    popped = [str(lanes.pop()) for _ in range(80)]
    assert Counter(each[0] for each in popped) == {"p": 40, "n": 30, "s": 10}
    assert all("proven" in popped[slot : slot + 2] for slot in range(79))


def test_what_a_rank_leaves_goes_to_the_others() -> None:
    lanes, _ = _ranked((1, "proven", 1), (1, "new", 2), (1, "silent", 9))
    assert Counter(str(lanes.pop()) for _ in range(12)) == {"proven": 1, "new": 2, "silent": 9}
    assert lanes.pop() is None


def test_what_waits_for_a_peer_goes_along_when_its_rank_changes() -> None:
    lane = ControlLane.SURB_REQUEST
    lanes, ranks = _ranked(
        (lane, "p", 9), (1, "p", 9), (lane, "stranger", 3), (1, "stranger", 3), (2, "stranger", 1)
    )
    ranks["stranger"] = Rank.PROVEN
    lanes.rank("stranger")
    assert [lanes.pop() for _ in range(8)] == [
        "p",
        "p",
        *["stranger"] * 2,
        "p",
        "p",
        *["stranger"] * 2,
    ]
    ranks["stranger"] = Rank.SILENT
    lanes.rank("stranger")
    lanes.rank("somebody for whom nothing waits")
    assert [lanes.pop() for _ in range(8)].count("stranger") == 1


def test_discarding_leaves_what_waits_in_control_lanes() -> None:
    lane = ControlLane.RETRANSMISSION
    lanes = _filled((0, "alice", 2), (lane, "alice", 1), (0, "bob", 1))
    assert len(lanes.discard(0)) == 3
    assert [lanes.pop(), lanes.pop()] == [f"{lane.value}/alice", None]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["push", "push", "push", "pop", "pop", "discard", "rank"]),
            st.sampled_from(LANES),
            st.sampled_from(PEERS),
            st.sampled_from(Rank),
        ),
        max_size=200,
    )
)
def test_nothing_is_lost_or_reordered_within_a_lane(
    steps: list[tuple[str, Lane, str, Rank]],
) -> None:
    ranks = dict.fromkeys(PEERS, Rank.NEW)
    lanes: Lanes[tuple[Lane, str, int]] = Lanes(lambda peer: ranks[str(peer)])
    model: dict[tuple[Lane, str], deque[int]] = {(a, b): deque() for a in LANES for b in PEERS}
    for number, (action, lane, peer, rank) in enumerate(steps):
        if action == "push":
            lanes.push(lane, peer, (lane, peer, number))
            model[lane, peer].append(number)
        elif action == "rank":
            ranks[peer] = rank
            lanes.rank(peer)
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
