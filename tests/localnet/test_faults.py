"""Fault plans: their JSON form, and gates that do what the plan says, the same with each seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError
from nymproxy.localnet import (
    DeadNodes,
    FaultAction,
    FaultEvent,
    FaultPlan,
    LinkFaults,
    PushAction,
    PushFault,
)
from nymproxy.localnet.fault_gates import FaultGate, FaultGates
from nymproxy.localnet.push_gates import PushGate

fractions = st.floats(0, 1)
seconds = st.floats(0, 1e6)
names = st.text(st.characters(codec="ascii"), max_size=8)
link_faults = st.builds(
    LinkFaults,
    source=names,
    target=names,
    from_seconds=seconds,
    until_seconds=st.none() | seconds,
    blackhole=st.booleans(),
    loss=fractions,
    burst_start=fractions,
    burst_packets=st.floats(1, 100),
    corrupt=fractions,
    duplicate=fractions,
    delay_seconds=seconds,
    jitter_seconds=seconds,
    reorder=fractions,
    reorder_seconds=seconds,
)
pushes = st.builds(
    PushFault,
    action=st.sampled_from(PushAction),
    gateway=names,
    client=names,
    packet=names,
    from_seconds=seconds,
    until_seconds=st.none() | seconds,
    probability=fractions,
    skip=st.integers(0, 100),
    count=st.none() | st.integers(0, 100),
    offsets=st.lists(st.integers(-5, 5), max_size=3).map(tuple),
    mask=st.integers(0, 255),
    delay_seconds=seconds,
    jitter_seconds=seconds,
)
events = st.builds(
    FaultEvent,
    at_seconds=seconds,
    action=st.sampled_from(FaultAction),
    node=names,
    peer=names,
    seconds=seconds,
)
plans = st.builds(
    FaultPlan,
    seed=st.integers(),
    links=st.lists(link_faults, max_size=3).map(tuple),
    pushes=st.lists(pushes, max_size=3).map(tuple),
    events=st.lists(events, max_size=3).map(tuple),
    dead_nodes=st.sampled_from(DeadNodes),
)


@given(plans)
def test_json_round_trip(plan: FaultPlan) -> None:
    assert FaultPlan.from_json(plan.to_json()) == plan


def test_the_empty_plan() -> None:
    assert FaultPlan.from_json("{}") == FaultPlan()
    assert not FaultPlan(seed=3)
    assert FaultPlan(links=(LinkFaults(loss=0.1),))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["seed", "links", "events", "loss", "source", "at_seconds", "action"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_no_document_crashes_the_reader(document: Any) -> None:
    try:
        plan = FaultPlan.from_dict(document)
    except ConfigurationError:
        return
    assert FaultPlan.from_dict(plan.to_dict()) == plan


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "no JSON"),
        ("[]", "JSON object"),
        ('{"links": [{"los": 1}]}', "unknown field 'los'"),
        ('{"links": [{"loss": 2}]}', "loss is 2"),
        ('{"links": [{"loss": true}]}', "wrong type"),
        ('{"links": [{"loss": "much"}]}', "wrong type"),
        ('{"links": [{"delay_seconds": -1}]}', "delay_seconds is -1"),
        ('{"links": [{"burst_packets": 0}]}', "burst_packets"),
        ('{"links": {}}', "must be a list"),
        ('{"seed": "x"}', "seed"),
        ('{"events": [{"at_seconds": 1, "action": "explode", "node": "*"}]}', "explode"),
        ('{"events": [{"at_seconds": 1, "action": "kill"}]}', "missing"),
        ('{"events": [{"at_seconds": 1, "action": [], "node": "*"}]}', "unknown action"),
        ('{"pushes": [{"action": "alter", "offsets": 3}]}', "list of integers"),
        ('{"pushes": [{"action": "alter", "offsets": [1.5]}]}', "wrong type"),
        ('{"pushes": [{"action": "alter", "mask": 256}]}', "mask"),
        ('{"pushes": [{"action": "swallow", "count": -1}]}', "negative"),
        ('{"pushes": [{}]}', "missing"),
        ('{"dead_nodes": "rot"}', "stay, leave"),
    ],
)
def test_a_bad_plan_says_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        FaultPlan.from_json(text)


def _run(
    plan: FaultPlan, count: int = 2000, *, now: float = 0.0, target: str = "mix-1-0"
) -> tuple[list[list[tuple[float, bytes]]], Counter[str]]:
    counted: Counter[str] = Counter()

    def count_one(kind: str) -> None:
        counted[kind] += 1

    gate = FaultGate("gateway-0", target, count_one)
    gate.install(plan, 0.0)
    return [gate.apply(number.to_bytes(4, "big"), now) for number in range(count)], counted


def _plan(seed: int = 1, **faults: Any) -> FaultPlan:
    return FaultPlan(seed=seed, links=(LinkFaults(**faults),))


def test_the_seed_decides() -> None:
    plan = _plan(loss=0.2, duplicate=0.2, reorder=0.2, corrupt=0.1, jitter_seconds=0.1)
    assert _run(plan) == _run(plan)
    assert _run(plan)[0] != _run(_plan(2, loss=0.2, duplicate=0.2))[0]
    assert _run(plan)[0] != _run(plan, target="mix-1-1")[0]


def test_loss() -> None:
    outcomes, counted = _run(_plan(loss=0.25))
    lost = outcomes.count([])
    assert lost == counted["loss"]
    assert 400 < lost < 600
    assert set(counted) == {"loss"}


def test_bursts_lose_packets_in_a_row() -> None:
    outcomes, counted = _run(_plan(burst_start=0.01, burst_packets=20), 5000)
    lost = [outcome == [] for outcome in outcomes]
    bursts = sum(1 for before, here in zip([False, *lost], lost, strict=False) if here > before)
    assert counted["burst_loss"] == sum(lost)
    assert bursts > 10
    assert 8 < sum(lost) / bursts < 40


def test_duplicates() -> None:
    outcomes, counted = _run(_plan(duplicate=0.1))
    twice = [outcome for outcome in outcomes if len(outcome) == 2]
    assert len(twice) == counted["duplicate"]
    assert 120 < len(twice) < 280
    assert all(first == second for first, second in twice)


def test_corruption_flips_one_bit() -> None:
    outcomes, counted = _run(_plan(corrupt=0.5))
    flipped = 0
    for number, [(_, packet)] in enumerate(outcomes):
        difference = int.from_bytes(packet, "big") ^ number
        assert difference.bit_count() <= 1
        flipped += difference.bit_count()
    assert flipped == counted["corrupt"] > 800


def test_delay_jitter_and_reordering_add_up() -> None:
    outcomes, counted = _run(
        _plan(delay_seconds=0.1, jitter_seconds=0.05, reorder=0.3, reorder_seconds=1.0)
    )
    delays = [delay for [(delay, _)] in outcomes]
    held_back = [delay for delay in delays if delay >= 1.1]
    assert all(0.1 <= delay <= 0.15 or 1.1 <= delay <= 1.15 for delay in delays)
    assert len(held_back) == counted["reorder"]
    assert 450 < len(held_back) < 750


@pytest.mark.parametrize(("now", "passes"), [(0.9, True), (1.0, False), (1.9, False), (2.0, True)])
def test_a_blackhole_has_a_beginning_and_an_end(now: float, passes: bool) -> None:
    plan = _plan(blackhole=True, from_seconds=1.0, until_seconds=2.0)
    outcomes, counted = _run(plan, 10, now=now)
    assert (outcomes.count([]) == 0) == passes
    assert counted["blackhole"] == (0 if passes else 10)


def test_links_are_chosen_by_patterns() -> None:
    faults = LinkFaults(source="mix-3-*", target="gateway-*")
    assert faults.covers("mix-3-0", "gateway-1")
    assert not faults.covers("mix-2-0", "gateway-1")
    assert not faults.covers("mix-3-0", "client")
    assert LinkFaults().covers("client", "gateway-0")


def test_rules_apply_one_after_the_other() -> None:
    plan = FaultPlan(
        links=(LinkFaults(duplicate=1.0), LinkFaults(duplicate=1.0), LinkFaults(delay_seconds=0.5))
    )
    outcomes, counted = _run(plan, 1)
    assert outcomes == [[(0.5, bytes(4))] * 4]
    assert counted == {"duplicate": 3, "delay": 4}


def test_gates_take_a_new_plan_over() -> None:
    now = 100.0
    gates = FaultGates(lambda: now)
    gate = gates.gate("a", "b", lambda _: None)
    assert gate.is_open
    gates.install(_plan(blackhole=True, until_seconds=5.0))
    assert gate.apply(b"x", 104.9) == []
    assert gate.apply(b"x", 105.0) == [(0.0, b"x")]
    assert gates.gate("a", "c", lambda _: None).apply(b"x", 101.0) == []
    assert gates.gate("a", "b", lambda _: None) is gate
    gates.install(FaultPlan())
    assert gate.is_open


def _pushed(
    *faults: PushFault, messages: int = 1000, now: float = 0.0, client: str = "alice"
) -> tuple[list[list[tuple[float, bytes]]], Counter[str]]:
    counted: Counter[str] = Counter()

    def count_one(kind: str) -> None:
        counted[kind] += 1

    gate = PushGate("gateway-0", count_one)
    gate.install(FaultPlan(seed=5, pushes=faults), 0.0)
    message = bytes(100)
    return [gate.apply(client, "regular", message, now) for _ in range(messages)], counted


def test_a_gateway_swallows_a_fraction_or_a_number() -> None:
    outcomes, counted = _pushed(PushFault(action=PushAction.SWALLOW, probability=0.1))
    assert 60 < outcomes.count([]) == counted["push_swallow"] < 140
    outcomes, counted = _pushed(PushFault(action=PushAction.SWALLOW, skip=3, count=2))
    assert [index for index, pushed in enumerate(outcomes) if not pushed] == [3, 4]
    assert counted == {"push_swallow": 2}


def test_a_gateway_alters_bits_at_random_or_at_offsets() -> None:
    outcomes, _ = _pushed(PushFault(action=PushAction.ALTER))
    assert all(int.from_bytes(message, "big").bit_count() == 1 for [(_, message)] in outcomes)
    assert len({message for [(_, message)] in outcomes}) > 500
    fault = PushFault(action=PushAction.ALTER, offsets=(0, -1, 100, -101), mask=0x81)
    outcomes, _ = _pushed(fault, messages=1)
    assert outcomes == [[(0.0, b"\x81" + bytes(98) + b"\x81")]]


def test_a_gateway_replays_later() -> None:
    fault = PushFault(action=PushAction.REPLAY, delay_seconds=10, jitter_seconds=5)
    outcomes, _ = _pushed(fault)
    assert all(pushed[0] == (0.0, bytes(100)) for pushed in outcomes)
    assert all(10 <= pushed[1][0] <= 15 and len(pushed) == 2 for pushed in outcomes)


def test_push_faults_are_for_some_clients_and_times() -> None:
    for fault, is_hit in (
        (PushFault(action=PushAction.SWALLOW, client="al*"), True),
        (PushFault(action=PushAction.SWALLOW, client="bob"), False),
        (PushFault(action=PushAction.SWALLOW, packet="ack"), False),
        (PushFault(action=PushAction.SWALLOW, from_seconds=2.0), False),
        (PushFault(action=PushAction.SWALLOW, until_seconds=1.0), False),
        (PushFault(action=PushAction.SWALLOW, gateway="gateway-1"), False),
    ):
        outcomes, _ = _pushed(fault, messages=1, now=1.0)
        assert (outcomes == [[]]) is is_hit, fault
