"""W4, W5, W6 and W13: many connections of one client, and how costs grow with their number."""

from __future__ import annotations

import math
import statistics
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from benchmarks.statistics import slope
from nymproxy.errors import PhaseTimeout
from nymproxy.testing import workloads
from nymproxy.testing.counters import upstream_totals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from benchmarks.cells import Cell
    from benchmarks.results import Results
    from benchmarks.stage import BenchStage, Pair
    from nymproxy.testing.workloads import WorkloadResult

ECHO_BYTES = 256
QUESTIONS, PAUSE_SECONDS = 600, 0.2
ENDS = ("client", "server")
PATIENCE_SECONDS = 1500.0
"""For a thousand connections on a busy machine, where the CPU time is what counts."""


async def at_once(
    count: int, work: Callable[[int], Awaitable[WorkloadResult]]
) -> list[WorkloadResult]:
    """Run ``work(0)`` to ``work(count - 1)`` together."""
    results: list[WorkloadResult] = []

    async def run(index: int) -> None:
        results.append(await work(index))

    async with anyio.create_task_group() as tasks:
        for index in range(count):
            tasks.start_soon(run, index)
    return results


def problem_of(results: Sequence[WorkloadResult]) -> str | None:
    """Return what was wrong with some of them, if anything."""
    problems = [result.problem for result in results if result.problem is not None]
    return f"{len(problems)} of {len(results)}: {problems[0]}" if problems else None


def fairness(rates: Sequence[float]) -> float:
    """Return Jain's index: 1 when all have the same, 1/n when one has everything."""
    return sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates))


async def concurrent(cell: Cell, pair: Pair, results: Results, seed: int) -> None:
    """W4: ``streams`` connections at once, first with echoes, then with an upload each."""
    streams, trips, length = (cell.params[name] for name in ("streams", "trips", "bytes"))
    await pair.begin()
    echoes = await at_once(
        streams, lambda i: workloads.round_trips(pair.target, trips, ECHO_BYTES, seed + i)
    )
    uploads = await at_once(streams, lambda i: workloads.upload(pair.target, length, seed + i))
    spent = await pair.spent()
    if (problem := problem_of(echoes) or problem_of(uploads)) is not None:
        results.fail(cell, "rtt", problem)
        return
    for result in echoes:
        for seconds in result.round_trips_seconds:
            results.add(cell, "rtt", "s", seconds)
    results.add(cell, "slowest", "s", max(result.seconds for result in uploads))
    rates = [length / result.seconds for result in uploads]
    results.add(cell, "fairness", "Jain", fairness(rates))
    results.add(cell, "cpu_per_stream", "s", spent.cpu_total / streams)
    for party in ENDS:
        results.add(cell, f"rss_{party}", "MB", spent.peak_memory_bytes[party] / 1e6)


async def storm(cell: Cell, stage: BenchStage, results: Results) -> None:
    """W5: ``opens`` connections at the same moment: how soon is each usable?"""
    opens = cell.params["opens"]
    flags = ("--client-pool-reserve", str(cell.params["reserve"]))
    async with stage.fresh_client(cell.wire, *flags, mode=cell.params["mode"]) as pair:
        await pair.begin()
        seen = await at_once(opens, lambda _: workloads.first_byte(pair.target))
        spent = await pair.spent()
    times = [one.first_byte_seconds for one in seen if one.ok and one.first_byte_seconds]
    for seconds in times:
        results.add(cell, "open", "s", seconds)
    if times:
        results.add(cell, "all_open", "s", max(times))
    if (problem := problem_of(seen)) is not None:
        results.fail(cell, "open", problem)
    results.add(cell, "registered", "identities", spent.network.registrations)


async def idle_memory(cell: Cell, stage: BenchStage, results: Results) -> None:
    """W6: what an idle connection takes at each end, by the slope over their numbers; and what is
    left of it when it has ended."""
    seen: dict[str, list[tuple[float, float]]] = {party: [] for party in ENDS}
    left: dict[str, float] = {}
    async with stage.fresh_client(cell.wire, mode="shared") as pair:
        await workloads.download(pair.target, 20_000)
        async with held_connections(pair, stage) as hold:
            for count in cell.params["streams"]:
                await hold(count)
                await anyio.sleep(cell.params["seconds"])
                for party in ENDS:
                    seen[party].append((count, pair.resident_bytes(party) / 1024))
        await anyio.sleep(cell.params["seconds"])
        for party in ENDS:
            left[party] = pair.resident_bytes(party) / 1024 - seen[party][0][1]
    for party, points in seen.items():
        results.add(cell, f"kib_per_stream_{party}", "KiB", slope(points))
        results.add(cell, f"kib_left_{party}", "KiB", left[party] / max(1, count))


@asynccontextmanager
async def held_connections(
    pair: Pair, stage: BenchStage
) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Give what opens connections that do nothing, until there are so many in all. They end with
    the block."""
    upstream = (await stage.upstream()).http
    first = (await upstream_totals(pair.http, upstream)).connections
    target, opened = pair.target, 0
    async with AsyncExitStack() as held:

        async def hold(count: int) -> None:
            nonlocal opened
            while opened < count:
                app = await anyio.connect_tcp(target.host, target.port)
                await held.enter_async_context(app)
                await app.send(b"GET /payload/1/1 HTTP/1.1\r\n")  # The rest never comes.
                opened += 1
            await _accepted(pair, upstream, first + count)

        yield hold


async def _accepted(pair: Pair, upstream: str, count: int) -> None:
    """Wait until the upstream has accepted so many connections in all."""
    # It does not push its record, so it is asked again for a while.
    for _ in range(QUESTIONS):
        if (await upstream_totals(pair.http, upstream)).connections >= count:
            return
        await anyio.sleep(PAUSE_SECONDS)
    raise PhaseTimeout(f"the upstream did not accept {count} connections in time")


async def growth(cell: Cell, stage: BenchStage, results: Results, seed: int) -> None:
    """W13: the exponents with which CPU time and memory grow with the number of streams."""
    cpu: list[tuple[float, float]] = []
    memory: list[tuple[float, float]] = []
    for streams in cell.params["streams"]:
        flags = ("--connect-timeout", str(PATIENCE_SECONDS))
        async with stage.fresh_client(cell.wire, *flags, mode="shared") as pair:
            target = replace(pair.target, timeout_seconds=PATIENCE_SECONDS)
            await workloads.download(target, 20_000)
            before = sum(pair.resident_bytes(party) for party in ENDS)
            await pair.begin()
            done = await at_once(
                streams,
                lambda i, target=target: workloads.round_trips(  # type: ignore[misc]
                    target, cell.params["trips"], ECHO_BYTES, seed + i
                ),
            )
            spent = await pair.spent()
        if (problem := problem_of(done)) is not None:
            results.fail(cell, "exponent_cpu", f"{streams} streams, {problem}")
            return
        grown = sum(spent.peak_memory_bytes[party] for party in ENDS) - before
        cpu.append((math.log(streams), math.log(spent.cpu_total)))
        memory.append((math.log(streams), math.log(max(grown, 1))))
        trips = [seconds for one in done for seconds in one.round_trips_seconds]
        results.add(cell, f"rtt_{streams}", "s", statistics.median(trips))
        results.add(cell, f"cpu_{streams}", "s", spent.cpu_total)
        results.add(cell, f"grown_{streams}", "MB", grown / 1e6)
    results.add(cell, "exponent_cpu", "of n", slope(cpu[-3:]))
    results.add(cell, "exponent_memory", "of n", slope(memory[-3:]))
