"""``docs/compatibility.md``, made from the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interop.cells import Workload
from interop.records import Outcome

if TYPE_CHECKING:
    from interop.records import CellRecord, Report, WorkloadRecord

_INTRODUCTION = """\
# Compatibility with the published Rust programs

Made by `make interop` from interop/report.json; do not edit. Every cell is a pair of processes on
`nymproxy localnet`, and every byte is checked at both ends. The Rust programs are those of
nym-sdk {nym_sdk}, with their default traffic (about 55 packets/s for each identity); ours run with
`--profile {profile}`. Where a cell says *baseline*, two Rust programs talk to each other: it shows
what to compare with, and may fail.

{scale} run of {date}: {bulk_bytes:,} bytes each way in download and upload; nymproxy {commit},
Python {python}, {cores} cores ({cpu}). The load (one minute) at the beginning and at the end of
each cell is in the first table. Above the number of cores, seconds say more about the machine than
about the programs.

`make interop` builds the Rust programs into interop/target, once, which needs cargo with Rust 1.87
or later and about half an hour on two cores. To use existing ones, name them in
`NYMPROXY_INTEROP_CLIENT` (nym-proxy-client), `NYMPROXY_INTEROP_SERVER` (nym-proxy-server) and
`NYMPROXY_INTEROP_PEERS` (interop/peers). `python -m interop --help` shows how to run a part. With
`--profile default` our ends send small messages twice (`--copies`), and a Rust program that warns
of a second fragment fails its cell.
"""

_LEGEND = """
Each entry: outcome, seconds to the first byte of the answer (of the slowest connection), goodput in
download and upload. *no end*: everything came but the end of data, which the peers cannot tell; why
is below. "At once" are 20 connections from our clients, and 5 from Rust clients. The reply larger
than its SURBs is 500 kB; losses and reordering happen between the first and the second mix.
"""

_IDENTITY = """
A config directory that the Rust server made, served by both servers in turns. Each carries bytes.
"""

_EXAMPLES = """
`examples/single_connection.py` and `examples/multistream.py`, with `--server-address`, in front of
an echo service. Every message has to come back as it was sent.
"""


def _entry(record: WorkloadRecord) -> str:
    if record.outcome is Outcome.IMPOSSIBLE:
        return "n/a"
    if record.outcome is Outcome.FAILED:
        return "**failed**"
    parts = ["ok"]
    if record.first_byte_seconds is not None:
        parts.append(f"{record.first_byte_seconds:.2f} s")
    if record.workload in (Workload.DOWNLOAD, Workload.UPLOAD):
        parts.append(f"{record.goodput_bytes_per_second / 1000:.0f} kB/s")
    if record.no_end_of_data is not None and record.ends_of_data < record.connections:
        parts.append("no end")
    return ", ".join(parts)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _name(cell: CellRecord) -> str:
    return f"{cell.client} → {cell.server}"


def _workloads(report: Report) -> list[Workload]:
    """Those that were run; all of them, unless some were chosen."""
    return [record.workload for record in report.cells[0].workloads] if report.cells else []


def _outcomes(report: Report) -> list[str]:
    columns = _workloads(report)
    lines = [
        _row(["client → server", "required", *(one.value for one in columns), "load"]),
        "|" + "---|" * (len(columns) + 3),
    ]
    for cell in report.cells:
        by_workload = {record.workload: record for record in cell.workloads}
        entries = [_entry(by_workload[workload]) for workload in columns]
        load = f"{cell.load_before:.1f}, {cell.load_after:.1f}"
        lines.append(_row([_name(cell), "must" if cell.must else "baseline", *entries, load]))
    return lines


def _packets(report: Report) -> list[str]:
    columns = _workloads(report)
    lines = [
        _row(["client → server", *(one.value for one in columns)]),
        "|" + "---|" * (len(columns) + 1),
    ]
    for cell in report.cells:
        by_workload = {record.workload: record for record in cell.workloads}
        packets = [
            "" if by_workload[one].outcome is Outcome.IMPOSSIBLE else str(by_workload[one].packets)
            for one in columns
        ]
        lines.append(_row([_name(cell), *packets]))
    return lines


def _reasons(report: Report) -> list[str]:
    lines = ["| client → server | what | why |", "|---|---|---|"]
    for cell in report.cells:
        ends = {one.no_end_of_data for one in cell.workloads if one.no_end_of_data is not None}
        lines += [_row([_name(cell), "no end of data to the app", why]) for why in sorted(ends)]
        lines += [
            _row([_name(cell), f"{one.workload.value}: n/a", one.problem or ""])
            for one in cell.workloads
            if one.outcome is Outcome.IMPOSSIBLE
        ]
    return lines


def _failures(report: Report) -> list[str]:
    return [
        _row([_name(cell), one.workload.value, one.problem or ""])
        for cell in report.cells
        for one in cell.workloads
        if one.outcome is Outcome.FAILED
    ]


def _identity(report: Report) -> list[str]:
    lines = ["| turn | server | same address, every byte | ended with |", "|---|---|---|---|"]
    for number, turn in enumerate(report.identity, 1):
        found = "yes" if turn.ok else f"**no**: {turn.problem or 'another address'}"
        end = "SIGKILL" if turn.is_killed else "SIGTERM"
        lines.append(_row([str(number), turn.server, found, end]))
    return lines


def _examples(report: Report) -> list[str]:
    return [
        "| example | server | every message |",
        "|---|---|---|",
        *(
            _row([one.name, one.server, "yes" if one.ok else f"**no**: {one.problem}"])
            for one in report.examples
        ),
    ]


def page(report: Report) -> str:
    """Return the page, which depends on nothing but the report."""
    introduction = _INTRODUCTION.format(
        scale=report.scale.capitalize(),
        bulk_bytes=report.bulk_bytes,
        **{"profile": "bare", **report.environment},
    )
    lines = [introduction, "## The matrix", _LEGEND, *_outcomes(report), ""]
    if failures := _failures(report):
        lines += ["## What failed", "", "| client → server | workload | problem |", "|---|---|---|"]
        lines += [*failures, ""]
    if report.identity:
        lines += ["## One directory, two programs", _IDENTITY, *_identity(report), ""]
    if report.examples:
        lines += ["## The examples of the old module", _EXAMPLES, *_examples(report), ""]
    lines += ["## What a peer cannot do", "", *_reasons(report), ""]
    lines += [
        "## Packets",
        "",
        "What all identities handed to their gateways from the client's start to the workload's "
        "end, cover traffic included.",
        "",
        *_packets(report),
    ]
    return "\n".join(lines) + "\n"
