"""What is measured how often: the cells of each workload, quick or in full."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

WORKLOADS = tuple(f"W{number}" for number in range(1, 18))
QUICK_WORKLOADS = ("W1", "W2", "W3", "W7", "W8", "W12", "W15", "W17")
"""Within a minute and a half; the others have a short form too, if they are named."""
USUAL_WORKLOADS = tuple(name for name in WORKLOADS if name != "W14")
"""Without the soak, which takes half an hour alone."""
PROFILES = ("bare", "fast", "default")
WIRES = ("tcp", "legacy", "stream")
RUST_WORKLOADS = frozenset({"W1", "W2", "W3", "W7", "W8", "W9"})
MEGABYTE = 1_000_000
LARGE_RUNS = {"bare": 5, "fast": 2, "default": 1}
"""Of 10 MB, which take half a minute in ``fast`` and two in ``default`` by the schedule alone."""
LOSSES = ((0.0, False), (0.01, False), (0.05, False), (0.20, False), (0.05, True))
"""Fractions lost at one hop, each packet for itself or in bursts."""
LOSSY_BYTES = {
    "bare": (MEGABYTE, 10 * MEGABYTE),
    "fast": (MEGABYTE,),
    "default": (MEGABYTE // 2,),
}
"""What W9 moves each way."""
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
        peer: what both ends are, ``python`` or ``rust``.
    """

    workload: str
    profile: str
    wire: str
    params: dict[str, Any] = field(default_factory=dict)
    runs: int = 1
    peer: str = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was asked for.

    Attributes:
        only: workloads.
        profile: one of them, or ``None`` for those that each workload is for.
        wire: one of them, or ``None`` for all.
        rust: also with the Rust programs at both ends, where they can.
        quick: within a minute and a half, for CI: few runs, few cells.
        runs: of each cell, in place of the usual number.
        soak_seconds: length of W14.
    """

    only: tuple[str, ...] = USUAL_WORKLOADS
    profile: str | None = None
    wire: str | None = None
    rust: bool = False
    quick: bool = False
    runs: int | None = None
    soak_seconds: float = 1800.0


def plan(selection: Selection) -> list[Cell]:
    """Return the cells, in no meaningful order (see :func:`shuffled_jobs`)."""
    makers = {
        "W1": _echo,
        "W2": _first_byte,
        "W3": _bulk,
        "W4": _concurrent,
        "W5": _storm,
        "W6": _idle_memory,
        "W7": _cpu,
        "W8": _idle,
        "W9": _loss,
        "W10": _reordering,
        "W11": _duplication,
        "W12": _start_up,
        "W13": _growth,
        "W14": _soak,
        "W15": _micro,
        "W16": _migration,
        "W17": _nodes,
    }
    return [
        cell
        for name in WORKLOADS
        if name in selection.only
        for cell in makers[name](selection)
        if selection.wire in (None, cell.wire) or cell.wire == "both"
    ]


def of_rust(cell: Cell) -> Cell | None:
    """Return the same cell for the Rust programs, or ``None`` if it is not one for them.

    They know the profile ``default`` only, in which their client sends 29 packets for a request
    on the legacy wire: 10 MB take a quarter of an hour, and five requests a second are three times
    what it can carry. Their streams have one identity for all connections, where W2 has many.
    """
    if cell.workload not in RUST_WORKLOADS or cell.profile != "default" or cell.wire == "tcp":
        return None
    if cell.params.get("bytes", 0) > MEGABYTE:
        return None
    if (cell.workload, cell.wire) in (("W1", "legacy"), ("W9", "legacy"), ("W2", "stream")):
        return None
    return replace(cell, peer="rust")


def shuffled_jobs(cells: list[Cell], seed: int, *, rust: bool = False) -> dict[str, list[Cell]]:
    """Return by profile the cells, each as often as it runs, in a seeded random order.

    A profile has processes of its own; within it the runs of all cells are mixed, so that a busy
    minute of the machine does not hit one cell alone. With ``rust`` each run is followed by that of
    the Rust programs, so that both see the same machine.
    """
    jobs: dict[str, list[Cell]] = {}
    for cell in cells:
        jobs.setdefault(cell.profile, []).extend([cell] * cell.runs)
    generator = random.Random(seed)
    for profile, listed in jobs.items():
        generator.shuffle(listed)
        if rust:
            pairs = ((cell, of_rust(cell)) for cell in listed)
            jobs[profile] = [one for pair in pairs for one in pair if one is not None]
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
        Cell(
            *("W7", profile, wire),
            {"direction": "up", "bytes": MEGABYTE if profile == "default" else size},
            _runs(selection, 1, 1),
        )
        for profile in _profiles(selection, ("bare", "default") if selection.rust else ("bare",))
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
    cells = [
        Cell("W8", profile, "both", {"seconds": seconds}, _runs(selection, 1, 3))
        for profile in _profiles(selection, profiles)
    ]
    if selection.quick:
        return cells
    # As the command starts: identities in reserve for the next connections.
    reserve = {"mode": "per-connection", "reserve": 2}
    cells += [replace(cell, params={**cell.params, **reserve}) for cell in cells]
    params = {"seconds": 30, **reserve, "open": [0, 4, 8, 12]}
    return [*cells, *(Cell("W8", p, "both", params) for p in _profiles(selection, ("default",)))]


def _concurrent(selection: Selection) -> list[Cell]:
    counts = (10,) if selection.quick else (1, 10, 100, 1000)
    size = {"trips": 10, "bytes": 20_000} if selection.quick else {"trips": 100, "bytes": 100_000}
    return [
        Cell("W4", profile, wire, {"streams": streams, **size}, _runs(selection, 1, 1))
        for profile in _profiles(selection, ("bare",))
        for wire in WIRES[1:]
        for streams in counts
        if streams <= 100 or wire == "stream"
    ]


def _storm(selection: Selection) -> list[Cell]:
    counts = (10,) if selection.quick else (10, 100, 1000)
    modes = [("shared", 1), *(("per-connection", reserve) for reserve in (0, 2, 10))]
    return [
        Cell(
            *("W5", profile, "stream", {"opens": opens, "mode": mode, "reserve": reserve}),
            _runs(selection, 1, 3 if opens == 10 else 1),
        )
        for profile in _profiles(selection, ("bare",))
        for opens in counts
        for mode, reserve in modes
        # A thousand identities are a thousand registrations: those of one wait for nobody.
        if opens <= 100 or mode == "shared"
    ]


def _idle_memory(selection: Selection) -> list[Cell]:
    streams = [0, 20, 50] if selection.quick else [0, 100, 500, 1000]
    params = {"streams": streams, "seconds": 2 if selection.quick else 10}
    return [
        Cell("W6", profile, wire, params, _runs(selection, 1, 2))
        for profile in _profiles(selection, ("bare",))
        for wire in WIRES[1:]
    ]


def _loss(selection: Selection) -> list[Cell]:
    rates = ((0.05, False),) if selection.quick else LOSSES
    return [
        Cell(
            *("W9", profile, wire),
            {"loss": loss, "burst": burst, "bytes": length, **_adverse_echoes(selection)},
            _runs(selection, 1, 2),
        )
        for profile in _profiles(selection, ("bare", "default"))
        for wire in (("stream",) if selection.quick else WIRES[1:])
        for length in ((100_000,) if selection.quick else LOSSY_BYTES[profile])
        for loss, burst in rates
    ]


def _adverse_echoes(selection: Selection) -> dict[str, Any]:
    return {"requests": 15 if selection.quick else 200}


def _adverse_size(selection: Selection) -> dict[str, Any]:
    return {"bytes": 100_000 if selection.quick else MEGABYTE, **_adverse_echoes(selection)}


def _reordering(selection: Selection) -> list[Cell]:
    return [
        Cell(
            *("W10", profile, "stream", {"delay_ms": delay, **_adverse_size(selection)}),
            _runs(selection, 1, 2),
        )
        for profile in _profiles(selection, ("bare",))
        for delay in ((50,) if selection.quick else (0, 15, 50, 200))
    ]


def _duplication(selection: Selection) -> list[Cell]:
    params = {"twice": 0.1, "replayed": 0.1, **_adverse_size(selection)}
    return [
        Cell("W11", profile, wire, params, _runs(selection, 1, 2))
        for profile in _profiles(selection, ("bare",))
        for wire in WIRES[1:]
    ]


def _growth(selection: Selection) -> list[Cell]:
    params = {"streams": [1, 5, 10] if selection.quick else [1, 10, 100, 1000], "trips": 20}
    return [
        Cell("W13", profile, "stream", params, _runs(selection, 1, 1))
        for profile in _profiles(selection, ("bare",))
    ]


def _soak(selection: Selection) -> list[Cell]:
    seconds = 30.0 if selection.quick else selection.soak_seconds
    return [
        Cell("W14", profile, "stream", {"seconds": seconds}, 1)
        for profile in _profiles(selection, ("bare",))
    ]


def _migration(selection: Selection) -> list[Cell]:
    files = [10, 300, 1000] if selection.quick else [10, 1000, 10_000]
    return [Cell("W16", "default", "both", {"files": files}, _runs(selection, 1, 1))]
