"""The plan: which cells there are, and in which order they run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from benchmarks.cells import PROFILES, WORKLOADS, Selection, of_rust, plan, shuffled_jobs

FULL = plan(Selection(only=WORKLOADS))


def test_every_workload_has_cells_on_every_wire_it_is_for() -> None:
    for workload in ("W1", "W2", "W3"):
        wires = {cell.wire for cell in FULL if cell.workload == workload}
        assert wires == {"tcp", "legacy", "stream"}
        assert {cell.profile for cell in FULL if cell.workload == workload} == set(PROFILES)
    assert {cell.workload for cell in FULL} == set(WORKLOADS)


def test_the_parameters_are_those_that_are_promised() -> None:
    bulk = [cell for cell in FULL if cell.workload == "W3"]
    assert {cell.params["bytes"] for cell in bulk} == {1_000_000, 10_000_000}
    assert {cell.params["direction"] for cell in bulk} == {"up", "down", "both"}
    echo = [cell for cell in FULL if cell.workload == "W1"]
    assert {cell.params["size"] for cell in echo} == {1, 64, 1024, 8192}
    assert all(cell.params["rate"] == 5.0 for cell in echo)
    assert max(cell.params["requests"] for cell in echo) == 1000


def test_the_baseline_is_measured_once() -> None:
    bare = [cell for cell in FULL if cell.wire == "tcp"]
    assert len({cell.profile for cell in bare}) == 1


def test_only_and_profile_select() -> None:
    chosen = plan(Selection(only=("W3",), profile="fast", runs=2))
    assert {cell.workload for cell in chosen} == {"W3"}
    assert {cell.profile for cell in chosen} == {"fast"}
    assert {cell.runs for cell in chosen} == {2}
    assert "tcp" in {cell.wire for cell in chosen}


def test_a_wire_selects() -> None:
    chosen = plan(Selection(only=("W1", "W8"), wire="stream"))
    assert {cell.wire for cell in chosen} == {"stream", "both"}


def test_the_rust_programs_follow_each_run_of_what_they_can_do() -> None:
    cells = plan(Selection(only=WORKLOADS, rust=True))
    jobs = shuffled_jobs(cells, 1, rust=True)
    for profile, listed in jobs.items():
        followers = {index for index, cell in enumerate(listed) if cell.peer == "rust"}
        assert bool(followers) is (profile == "default")
        for index, cell in enumerate(listed):
            twin = None if index in followers else of_rust(cell)
            assert (index + 1 in followers) is (twin is not None)
            if twin is not None:
                assert listed[index + 1] == twin == replace(cell, peer="rust")
    compared = {(cell.workload, cell.wire) for cell in jobs["default"] if cell.peer == "rust"}
    assert {("W1", "stream"), ("W2", "legacy"), ("W9", "stream"), ("W8", "both")} <= compared
    # Five requests a second are more than a published client can send.
    assert ("W1", "legacy") not in compared


def test_quick_is_a_small_part_with_every_workload() -> None:
    quick = plan(Selection(only=WORKLOADS, quick=True))
    assert {cell.workload for cell in quick} == set(WORKLOADS)
    assert sum(cell.runs for cell in quick) < sum(cell.runs for cell in FULL) / 5
    requests = [cell.params["requests"] for cell in quick if cell.workload == "W1"]
    assert sum(requests) / 5 < 20  # seconds that the open loop takes, whatever the machine


def test_jobs_are_every_run_of_every_cell_in_a_seeded_order() -> None:
    jobs = shuffled_jobs(FULL, 1)
    for profile, listed in jobs.items():
        assert all(cell.profile == profile for cell in listed)
        counts = Counter((cell.workload, cell.wire, str(cell.params)) for cell in listed)
        for cell in listed:
            assert counts[cell.workload, cell.wire, str(cell.params)] == cell.runs
    assert jobs == shuffled_jobs(FULL, 1)
    assert jobs != shuffled_jobs(FULL, 2)
