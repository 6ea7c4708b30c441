"""What is measured how often: the cells of each workload, quick or in full."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

WORKLOADS = ("W1", "W2", "W3", "W7", "W8", "W12", "W15", "W17")
PROFILES = ("bare", "fast", "default")
WIRES = ("tcp", "legacy", "stream")
MEGABYTE = 1_000_000
LARGE_RUNS = {"bare": 5, "fast": 2, "default": 1}
"""Of 10 MB, which take half a minute in ``fast`` and two in ``default`` by the schedule alone."""
W1_RATE = 5.0
"""Requests a second. They leave on this schedule, whatever the answers do."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of parameters, measured ``runs`` times.

    Attributes:
        workload: ``W1`` and so on.
        profile: the traffic profile.
        wire: ``legacy``, ``stream``, ``tcp`` or ``both``.
        params: what else is varied.
        runs: how often.
    """

    workload: str
    profile: str
    wire: str
    params: dict[str, Any] = field(default_factory=dict)
    runs: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was asked for.

    Attributes:
        only: workloads.
        profile: one of them, or ``None`` for those that each workload is for.
        quick: within a minute, for CI: few runs, few cells.
        runs: of each cell, in place of the usual number.
    """

    only: tuple[str, ...] = WORKLOADS
    profile: str | None = None
    quick: bool = False
    runs: int | None = None


def plan(selection: Selection) -> list[Cell]:
    """Return the cells, in no meaningful order (see :func:`shuffled_jobs`)."""
    makers = {
        "W1": _echo,
        "W2": _first_byte,
        "W3": _bulk,
        "W7": _cpu,
        "W8": _idle,
        "W12": _start_up,
        "W15": _micro,
        "W17": _nodes,
    }
    return [
        cell for name in WORKLOADS if name in selection.only for cell in makers[name](selection)
    ]


def shuffled_jobs(cells: list[Cell], seed: int) -> dict[str, list[Cell]]:
    """Return by profile the cells, each as often as it runs, in a seeded random order.

    A profile has processes of its own; within it the runs of all cells are mixed, so that a busy
    minute of the machine does not hit one cell alone.
    """
    jobs: dict[str, list[Cell]] = {}
    for cell in cells:
        jobs.setdefault(cell.profile, []).extend([cell] * cell.runs)
    generator = random.Random(seed)
    for listed in jobs.values():
        generator.shuffle(listed)
    return jobs


def _profiles(selection: Selection, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if selection.profile is None else (selection.profile,)


def _runs(selection: Selection, quick: int, full: int) -> int:
    if selection.runs is not None:
        return selection.runs
    return quick if selection.quick else full


def _wires_of(profile: str, selection: Selection, profiles: tuple[str, ...]) -> tuple[str, ...]:
    """The baseline knows no profile: once is enough."""
    return WIRES if profile == _profiles(selection, profiles)[0] else WIRES[1:]


def _echo(selection: Selection) -> list[Cell]:
    profiles = ("bare", "default") if selection.quick else PROFILES
    sizes = (64,) if selection.quick else (1, 64, 1024, 8192)
    cells = []
    for profile in _profiles(selection, profiles):
        for wire in _wires_of(profile, selection, profiles):
            for size in sizes:
                requests = 15 if selection.quick else _requests(profile, size)
                params = {"size": size, "rate": W1_RATE, "requests": requests, "loop": "open"}
                cells.append(Cell("W1", profile, wire, params, _runs(selection, 1, 1)))
    return cells


def _requests(profile: str, size: int) -> int:
    """Return how many requests a full run sends: a thousand where the 99th percentile counts."""
    if size != 64:
        return 100
    return 1000 if profile == "default" else 300


def _first_byte(selection: Selection) -> list[Cell]:
    profiles = ("bare",) if selection.quick else PROFILES
    return [
        Cell("W2", profile, wire, {"request": 64}, _runs(selection, 1, 10))
        for profile in _profiles(selection, profiles)
        for wire in _wires_of(profile, selection, profiles)
    ]


def _bulk(selection: Selection) -> list[Cell]:
    profiles = ("bare",) if selection.quick else PROFILES
    sizes = (MEGABYTE,) if selection.quick else (MEGABYTE, 10 * MEGABYTE)
    directions = ("up", "down") if selection.quick else ("up", "down", "both")
    cells = []
    for profile in _profiles(selection, profiles):
        for wire in _wires_of(profile, selection, profiles):
            for size in sizes:
                full = 5 if size == MEGABYTE else LARGE_RUNS[profile]
                runs = _runs(selection, 1, full)
                for direction in directions:
                    params = {"direction": direction, "bytes": size}
                    cells.append(Cell("W3", profile, wire, params, runs))
    return cells


def _cpu(selection: Selection) -> list[Cell]:
    size = MEGABYTE if selection.quick else 10 * MEGABYTE  # the more, the more samples
    return [
        Cell("W7", profile, wire, {"direction": "up", "bytes": size}, _runs(selection, 1, 1))
        for profile in _profiles(selection, ("bare",))
        for wire in (("stream",) if selection.quick else WIRES[1:])
    ]


def _start_up(selection: Selection) -> list[Cell]:
    runs = _runs(selection, 1, 10)
    return [
        Cell("W12", profile, "both", {"state": state}, runs)
        for profile in _profiles(selection, ("bare",))
        for state in ("import", "cold", "existing")
    ]


def _micro(selection: Selection) -> list[Cell]:
    return [Cell("W15", "default", "both", {"divisor": 4 if selection.quick else 1}, 1)]


def _nodes(selection: Selection) -> list[Cell]:
    packets = 500 if selection.quick else 4000
    return [
        Cell("W17", profile, "both", {"processes": count, "packets": packets}, runs)
        for profile in _profiles(selection, ("bare",))
        for runs in (_runs(selection, 1, 5),)
        for count in (1, 2)
    ]


def _idle(selection: Selection) -> list[Cell]:
    seconds = 10 if selection.quick else 60
    profiles = ("default",) if selection.quick else PROFILES
    return [
        Cell("W8", profile, "both", {"seconds": seconds}, _runs(selection, 1, 3))
        for profile in _profiles(selection, profiles)
    ]
