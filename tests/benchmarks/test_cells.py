"""The plan: which cells there are, and in which order they run."""

from __future__ import annotations

from collections import Counter

from benchmarks.cells import PROFILES, WORKLOADS, Selection, plan, shuffled_jobs

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
