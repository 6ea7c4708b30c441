"""Run the cells one after another, and record what each workload saw."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx

from interop.cells import CELLS, Cell, Workload, why_no_end_of_data, why_not
from interop.examples import run_examples
from interop.identity import run_identity
from interop.records import CellRecord, WorkloadRecord
from interop.stage import Ends, Network
from interop.warnings import Warnings
from nymproxy.errors import NymError
from nymproxy.localnet.faults import FaultPlan, LinkFaults
from nymproxy.testing import workloads
from nymproxy.testing.counters import network_totals
from nymproxy.testing.workloads import Target, WorkloadResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interop.programs import RustPrograms
    from interop.records import ExampleRecord, IdentityRecord

logger = logging.getLogger("nymproxy.interop")

CONNECTIONS = {True: 5, False: 20}  # by whether a Rust client makes them
SMALL_BYTES = 5_000
# Old clients send 100 SURBs at first, with which about 150 kB can come back.
LARGE_REPLY_BYTES = 500_000
LOSSY_BYTES = 50_000
LOSSY = FaultPlan(
    seed=1, links=(LinkFaults(source="mix-1-*", target="mix-2-*", loss=0.02, reorder=0.05),)
)
# How long an end of data that nobody promises is waited for.
UNPROMISED_END_SECONDS = 1.0
# The upstream does not push its record, so it is asked again for a while.
UPSTREAM_QUESTIONS, UPSTREAM_PAUSE_SECONDS = 10, 0.5


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the workloads are.

    Attributes:
        name: for the report.
        bulk_bytes: length of the download and of the upload.
        timeout_seconds: for each workload.
    """

    name: str
    bulk_bytes: int
    timeout_seconds: float


QUICK = Scale("quick", 100_000, 45.0)
FULL = Scale("full", 1_000_000, 180.0)


def _load() -> float:
    return round(os.getloadavg()[0], 1)  # as the page shows it


def _together(name: str, results: Sequence[WorkloadResult]) -> WorkloadResult:
    first_bytes = [one.first_byte_seconds for one in results if one.first_byte_seconds is not None]
    return WorkloadResult(
        name=name,
        ok=all(one.ok for one in results),
        problem=next((one.problem for one in results if one.problem), None),
        payload_bytes=sum(one.payload_bytes for one in results),
        first_byte_seconds=max(first_bytes, default=None),
        seconds=sum(one.seconds for one in results),
        connections=len(results),
        ends_of_data=sum(one.ends_of_data for one in results),
    )


async def _three_in_a_row(target: Target) -> WorkloadResult:
    results = [await workloads.download(target, SMALL_BYTES, seed) for seed in (11, 12, 13)]
    return _together("3 in a row", results)


async def _both_ways_with_losses(target: Target) -> WorkloadResult:
    results = [
        await workloads.download(target, LOSSY_BYTES),
        await workloads.upload(target, LOSSY_BYTES),
    ]
    return _together("with losses", results)


async def _upstream_ends(http: httpx.AsyncClient, network: Network) -> int:
    answer = await http.get(f"http://{network.http}/statistics")
    return int(answer.raise_for_status().json()["ends_of_data"])


async def _half_close(target: Target, http: httpx.AsyncClient, network: Network) -> WorkloadResult:
    """Half-close, and see that the upstream got the end of data."""
    before = await _upstream_ends(http, network)
    result = await workloads.half_close(target, SMALL_BYTES)
    for _ in range(UPSTREAM_QUESTIONS):
        if await _upstream_ends(http, network) > before:
            return result
        await anyio.sleep(UPSTREAM_PAUSE_SECONDS)
    problem = result.problem or "no end of data at the upstream"
    return replace(result, ok=False, problem=problem)


@dataclass(frozen=True, slots=True)
class Matrix:
    """What the cells need, while they run."""

    stage: Ends
    network: Network
    lossy: Network
    http: httpx.AsyncClient
    scale: Scale
    warnings: Warnings

    async def _work(self, cell: Cell, workload: Workload, target: Target) -> WorkloadResult:
        match workload:
            case Workload.FIRST_BYTE:
                return await workloads.first_byte(target)
            case Workload.ECHO:
                return await workloads.echo(target)
            case Workload.DOWNLOAD:
                return await workloads.download(target, self.scale.bulk_bytes)
            case Workload.UPLOAD:
                return await workloads.upload(target, self.scale.bulk_bytes)
            case Workload.HALF_CLOSE:
                return await _half_close(target, self.http, self.network)
            case Workload.GREETING:
                return await workloads.greeting(target)
            case Workload.AT_ONCE:
                count = CONNECTIONS[cell.client.is_rust]
                return await workloads.connections_at_once(target, count, SMALL_BYTES)
            case Workload.IN_A_ROW:
                return await _three_in_a_row(target)
            case Workload.BURSTS:
                return await workloads.bursts(target)
            case Workload.LARGE_REPLY:
                return await workloads.download(target, LARGE_REPLY_BYTES)
            case Workload.LOSS:
                return await _both_ways_with_losses(target)

    def _place(self, workload: Workload) -> tuple[Network, str]:
        """Return the network, and the upstream, of a workload."""
        if workload is Workload.LOSS:
            return self.lossy, self.lossy.http
        if workload is Workload.GREETING:
            return self.network, self.network.greeter
        return self.network, self.network.http

    async def _workload(
        self, cell: Cell, workload: Workload, network: Network, address: str
    ) -> WorkloadRecord:
        """Run one workload with a client process of its own.

        An old client keeps the identity, and the traffic, of every connection for a while; a new
        process has none of them.
        """
        no_end = why_no_end_of_data(cell)
        before = await network_totals(self.http, network.counters_url)
        try:
            async with self.stage.client(cell.client, network, address) as (host, port):
                target = Target(
                    host,
                    port,
                    self.scale.timeout_seconds,
                    None if no_end is None else UNPROMISED_END_SECONDS,
                )
                result = await self._work(cell, workload, target)
                used = await network_totals(self.http, network.counters_url) - before
        except NymError as error:
            return WorkloadRecord.failed(workload, str(error))
        return WorkloadRecord.from_result(workload, result, used.packets_from_clients, no_end)

    async def _workloads(
        self, cell: Cell, chosen: Sequence[Workload], network: Network, upstream: str
    ) -> list[WorkloadRecord]:
        records = []
        async with self.stage.server(cell.server, network, upstream) as address:
            for workload in chosen:
                record = await self._workload(cell, workload, network, address)
                record = self._judged(record)
                logger.info(
                    "%s, %s: %s%s",
                    cell.name,
                    workload.value,
                    record.outcome.value,
                    "" if record.problem is None else f" ({record.problem})",
                )
                records.append(record)
        return [*records[:-1], self._judged(records[-1])]

    def _judged(self, record: WorkloadRecord) -> WorkloadRecord:
        """Fail what a Rust program warned of. Where acks are lost, Rust sends twice, too."""
        lines = self.warnings.take()
        return record if record.workload is Workload.LOSS else record.with_warnings(lines)

    async def run(self, cell: Cell, chosen: Sequence[Workload] = tuple(Workload)) -> CellRecord:
        """Run the workloads of one cell."""
        found: dict[Workload, WorkloadRecord] = {}
        by_place: dict[tuple[Network, str], list[Workload]] = {}
        for workload in chosen:
            if (reason := why_not(cell, workload, self.stage.profile)) is not None:
                found[workload] = WorkloadRecord.impossible(workload, reason)
            else:
                by_place.setdefault(self._place(workload), []).append(workload)
        load_before = _load()
        for (network, upstream), possible in by_place.items():
            for record in await self._workloads(cell, possible, network, upstream):
                found[record.workload] = record
        return CellRecord(
            cell.client.value,
            cell.server.value,
            cell.must,
            load_before,
            _load(),
            tuple(found[workload] for workload in chosen),
        )


async def run_matrix(
    programs: RustPrograms,
    scale: Scale,
    cells: Sequence[Cell] = CELLS,
    logs: Path | None = None,
    *,
    profile: str = "bare",
    chosen: Sequence[Workload] = tuple(Workload),
    with_identity: bool = True,
    with_examples: bool = True,
) -> tuple[list[CellRecord], list[IdentityRecord], list[ExampleRecord]]:
    """Run the cells on one localnet, one after another, then identity, then examples."""
    with tempfile.TemporaryDirectory(prefix="nymproxy-interop-") as name:
        directory = Path(name) if logs is None else logs
        stage = Ends(programs, directory, profile)
        async with (
            stage.network() as network,
            stage.network("lossy", LOSSY) as lossy,
            httpx.AsyncClient(trust_env=False) as http,
        ):
            matrix = Matrix(stage, network, lossy, http, scale, Warnings(directory))
            found = [await matrix.run(cell, chosen) for cell in cells]
            turns = await run_identity(stage, network) if with_identity else []
            examples = await run_examples(stage, network) if with_examples else []
            return found, turns, examples
