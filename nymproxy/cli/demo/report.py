"""The result of the demo: a side-by-side table for people, the same as data for programs."""

from __future__ import annotations

import io
import json
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nymproxy.cli.demo.steps import PairRun, Step
    from nymproxy.testing.workloads import WorkloadResult

SCHEMA_VERSION = 1


def cpu_share(step: Step) -> float | None:
    """Return the share of all cores that the processes used during a step (0 to 1)."""
    cores = os.cpu_count()
    if step.cpu_seconds is None or not cores:
        return None
    return min(1.0, step.cpu_seconds / (step.seconds * cores))


def _step_data(step: Step) -> dict[str, Any]:
    result = step.result
    return {
        "name": result.name,
        "ok": result.ok,
        "problem": result.problem,
        "payload_bytes": result.payload_bytes,
        "seconds": round(result.seconds, 4),
        "first_byte_seconds": result.first_byte_seconds,
        "goodput_bytes_per_second": round(step.goodput_bytes_per_second),
        "bound": "cpu",
        "cpu_share": cpu_share(step),
        "cpu_seconds": step.cpu_seconds,
        "packets": step.network.packets_from_clients,
        "wire_bytes": step.network.bytes_from_clients,
        "wire_bytes_per_payload_byte": step.wire_bytes_per_payload_byte,
        "packets_dropped": step.network.packets_dropped,
        "connections": result.connections,
        "ends_of_data_at_app": result.ends_of_data,
    }


def _pair_data(run: PairRun) -> dict[str, Any]:
    return {
        "wire": run.wire,
        "ok": run.ok,
        "identities": run.identities,
        "steps": [_step_data(step) for step in run.steps],
        "upstream": {
            "connections": run.upstream.connections,
            "ends_of_data": run.upstream.ends_of_data,
            "resets": run.upstream.resets,
        },
    }


def longest_pause(result: WorkloadResult) -> float:
    """Return the longest time in which nothing of an answer came, once it had begun."""
    times = [seconds for seconds, _ in result.progress]
    return max((later - sooner for sooner, later in pairwise(times)), default=0.0)


def as_json(runs: Sequence[PairRun], loss: WorkloadResult, profile: str) -> str:
    """Return everything that was measured as one JSON object."""
    report = {
        "schema_version": SCHEMA_VERSION,
        "ok": loss.ok and all(run.ok for run in runs),
        "profile": profile,
        "pairs": [_pair_data(run) for run in runs],
        "lost_gateway": {
            "ok": loss.ok,
            "problem": loss.problem,
            "payload_bytes": loss.payload_bytes,
            "seconds": round(loss.seconds, 4),
            "longest_pause_seconds": round(longest_pause(loss), 4),
        },
    }
    return json.dumps(report, indent=2) + "\n"


_SMALL_BYTES = 10_000
"""Below it, goodput and wire bytes per byte say nothing: set-up and latency are all there is."""


def _digest(step: Step) -> str:
    return "equal" if step.result.ok else f"WRONG: {step.result.problem}"


def _first_byte(step: Step) -> str:
    seconds = step.result.first_byte_seconds
    return "-" if seconds is None else f"{seconds:.3f} s"


def _goodput(step: Step) -> str:
    if step.result.payload_bytes < _SMALL_BYTES:
        return "-"
    return f"{step.goodput_bytes_per_second / 1000:,.0f} kB/s"


def _cpu(step: Step) -> str:
    share = cpu_share(step)
    return "-" if share is None or step.result.payload_bytes < _SMALL_BYTES else f"{share:.0%}"


def _wire(step: Step) -> str:
    factor = step.wire_bytes_per_payload_byte
    if factor is None or step.result.payload_bytes < _SMALL_BYTES:
        return "-"
    return f"x{factor:.2f}"


_ROWS: tuple[tuple[str, Callable[[Step], str]], ...] = (
    ("SHA-256", _digest),
    ("first byte", _first_byte),
    ("goodput", _goodput),
    ("of the CPU", _cpu),
    ("packets", lambda step: f"{step.network.packets_from_clients:,}"),
    ("wire, times payload", _wire),
    ("EOF at the app", lambda step: f"{step.result.ends_of_data} of {step.result.connections}"),
)


def as_table(runs: Sequence[PairRun], loss: WorkloadResult) -> str:
    """Return the side-by-side table, one block of rows for each workload."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title="The same work through both pairs", box=box.SIMPLE_HEAD)
    for heading in ("workload", "measured"):
        table.add_column(heading, no_wrap=True)
    for run in runs:
        table.add_column(f"{run.wire} pair", justify="right")
    for steps in zip(*(run.steps for run in runs), strict=True):
        for index, (label, describe) in enumerate(_ROWS):
            name = steps[0].result.name if index == 0 else ""
            last = index == len(_ROWS) - 1
            table.add_row(name, label, *(describe(step) for step in steps), end_section=last)
    table.add_row("all together", "EOF at the upstream", *(_upstream(run) for run in runs))
    table.add_row("", "identities", *(f"{run.identities} registered" for run in runs))
    output = io.StringIO()
    Console(file=output, width=80).print(table)
    return output.getvalue() + _BOUND_NOTE + _of_loss(loss) + _verdict(runs, loss)


def _upstream(run: PairRun) -> str:
    return f"{run.upstream.ends_of_data} of {run.upstream.connections}"


_BOUND_NOTE = (
    "Profile 'bare' has no sending schedule and no mix delays: CPU is the bound.\n"
    "Every packet is encrypted for four hops and unwrapped at each of them, all on\n"
    "this machine. Every connection has an identity of its own; two are kept in\n"
    "reserve by each of the clients.\n"
)


def _of_loss(loss: WorkloadResult) -> str:
    if not loss.ok:
        return f"The server's gateway was taken away in a download: {loss.problem}.\n"
    return (
        "The server's gateway was taken away for good at half of a second download by\n"
        f"stream: {loss.payload_bytes:,} bytes, all right, in {loss.seconds:.1f} s, "
        f"with a pause of {longest_pause(loss):.1f} s.\n"
    )


def _verdict(runs: Sequence[PairRun], loss: WorkloadResult) -> str:
    if loss.ok and all(run.ok for run in runs):
        return "Every byte arrived, in order, through both pairs.\n"
    return "SOMETHING WENT WRONG: see the rows above.\n"
