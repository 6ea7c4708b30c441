"""The workloads of a parity run: each through one side after the other, with what was seen of it.

The sides take turns workload by workload, so that a machine that slows down meanwhile slows both.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

import anyio

from nymproxy.testing import workloads
from nymproxy_migrate.parity.outcomes import Patience
from nymproxy_migrate.parity.sides import FULL, Sizes, Ways, peak_memory_bytes
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from nymproxy.testing.counters import NetworkTotals
    from nymproxy.testing.workloads import Target, WorkloadResult
    from nymproxy_migrate.parity.model import Side
    from nymproxy_migrate.parity.outcomes import Seen
    from nymproxy_migrate.parity.relay import RelayTotals

ASKED = ("half_close", "at_once")
"""Those for which an upstream that is not ours is asked, too: each question is a connection."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One workload through one side.

    Attributes:
        result: what the application saw.
        upstream: what arrived at the upstream; ``None`` if that is not ours.
        network: what the localnet's nodes counted; ``None`` without a localnet.
    """

    result: WorkloadResult
    upstream: RelayTotals | None = None
    network: NetworkTotals | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the application sees of an upstream that refuses connections.

    Attributes:
        visible: its connection ended, without a byte, in time.
        seconds: from its connecting to that end.
    """

    visible: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Linkability:
    """What a server can tell about who connects.

    Attributes:
        connections: made by one client.
        sender_tags: different senders that the server sees behind them.
        identities: registered meanwhile, those in reserve included; ``None`` if not countable.
        reserve: how many the client keeps ready.
    """

    connections: int
    sender_tags: int
    identities: int | None
    reserve: int = 2


@dataclass(slots=True)
class SideMeasurements:
    """Everything that was measured of one side; what is missing could not be measured."""

    side: Side
    workloads: dict[str, Measured] = field(default_factory=dict)
    refusal: Refusal | None = None
    linkability: Linkability | None = None
    peak_memory: dict[str, int] = field(default_factory=dict)
    truths: Mapping[str, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure.

    Attributes:
        sizes: how much work.
        seed: of the payloads.
        timeout_seconds: for one workload.
        end_of_data_seconds: how long an end of data may be late, on both ends.
        refusal_seconds: how long to wait for a refusal to be seen.
        patience: for what is broken on purpose.
    """

    sizes: Sizes = FULL
    seed: int = 1
    timeout_seconds: float = 60.0
    end_of_data_seconds: float = 20.0
    refusal_seconds: float = 20.0
    patience: Patience = field(default_factory=Patience)


Work = Callable[["Target"], Awaitable["WorkloadResult"]]
Report = Callable[[str, "Side", "WorkloadResult"], None]
Slower = Callable[["dict[Side, SideMeasurements]"], "Collection[str]"]


def _works(settings: Settings) -> dict[str, Work]:
    sizes, seed = settings.sizes, settings.seed * 1000
    return {
        "first_byte": lambda target: _first_bytes(target, sizes.first_bytes),
        "echo": lambda target: workloads.round_trips(target, sizes.round_trips, seed=seed + 1),
        "download": lambda target: workloads.download(target, sizes.download_bytes, seed + 2),
        "upload": lambda target: workloads.upload(target, sizes.upload_bytes, seed + 3),
        "half_close": workloads.half_close,
        "greeting": workloads.greeting,
        "at_once": lambda target: workloads.connections_at_once(
            target, sizes.connections, sizes.connection_bytes, seed + 10
        ),
    }


async def _first_bytes(target: Target, count: int) -> WorkloadResult:
    """Several connections one after the other; the median of their first bytes."""
    results = [await workloads.first_byte(target) for _ in range(count)]
    failed = [result for result in results if not result.ok]
    firsts = [one.first_byte_seconds for one in results if one.first_byte_seconds is not None]
    return replace(
        (failed or results)[0],
        first_byte_seconds=median(firsts) if firsts else None,
        seconds=sum(result.seconds for result in results),
        payload_bytes=sum(result.payload_bytes for result in results),
        connections=count,
        ends_of_data=sum(result.ends_of_data for result in results),
    )


async def measure(
    ways: Sequence[Ways], settings: Settings, report: Report, slower: Slower = lambda _: ()
) -> dict[Side, SideMeasurements]:
    """Run every workload through every side, and those that only took longer once more.

    A machine that does other things, too, makes single figures wander. So what takes more time or
    packets than allowed is measured again, and counts if it is so twice; what is wrong once is
    wrong.

    Args:
        ways: the sides.
        settings: how.
        report: is told about each workload as it ends: its name, the side, and the result.
        slower: names the workloads in which a side only took more than it may.

    Raises:
        Refused: the upstream is not ours, and does not answer as ours would.
    """
    found = {way.side: SideMeasurements(way.side) for way in ways}
    # What is loaded or filled on first use is not measured.
    first = [await one_workload(way, settings, "first_byte", workloads.first_byte) for way in ways]
    if not any(one.result.ok for one in first) and any(way.upstream is None for way in ways):
        raise Refused(
            f"no side answers ({first[0].result.problem}): servers to compare must be reachable and"
            " lead to `python -m nymproxy.testing.upstream` (its address 'http')"
        )
    works = _works(settings)
    await _work_through(works, ways, settings, report, found)
    again = {name: works[name] for name in slower(found) if name in works}
    await _work_through(again, ways, settings, report, found)
    async with anyio.create_task_group() as tasks:
        for way in ways:
            tasks.start_soon(_refusal, way, settings, found[way.side])
    for way in ways:
        for role, process_id in way.processes.items():
            peak = peak_memory_bytes(process_id)
            if peak is not None:
                found[way.side].peak_memory[role] = peak
    return found


async def _work_through(
    works: Mapping[str, Work],
    ways: Sequence[Ways],
    settings: Settings,
    report: Report,
    found: dict[Side, SideMeasurements],
) -> None:
    for name, work in works.items():
        for way in ways:
            if name == "greeting" and way.upstream is None:
                continue
            measured = await one_workload(way, settings, name, work)
            found[way.side].workloads[name] = measured
            report(name, way.side, measured.result)


async def one_workload(way: Ways, settings: Settings, name: str, work: Work) -> Measured:
    """Run one workload through one side, and take the counters before and after it."""
    upstream, network = way.upstream, way.network
    if upstream is not None:
        upstream.lead_to(way.greeter if name == "greeting" else way.http)
    asked = upstream is not None or name in ASKED
    seen = await _seen(way) if asked else None
    spent = await network() if network is not None else None
    result = await work(_target(way, settings))
    if upstream is not None:
        await upstream.settle(settings.end_of_data_seconds)
    arrived = None if seen is None else await _arrived(way, seen, settings)
    cost = await network() - spent if network is not None and spent is not None else None
    return Measured(result, arrived, cost)


async def _seen(way: Ways) -> RelayTotals | None:
    """What the upstream has counted, ours or another."""
    if way.upstream is not None:
        return way.upstream.totals
    return None if way.statistics is None else await way.statistics()


async def _arrived(way: Ways, before: RelayTotals, settings: Settings) -> RelayTotals | None:
    """What the upstream counted since; one that is not ours is asked until all have ended."""
    until = time.perf_counter() + settings.end_of_data_seconds
    while True:
        now = await _seen(way)
        if now is None:
            return None
        since = now - before
        ended = since.ends_of_data + since.broken >= since.connections
        if way.upstream is not None or ended or time.perf_counter() > until:
            return since
        await anyio.sleep(0.2)


def _target(way: Ways, settings: Settings) -> Target:
    return workloads.Target(
        way.target.host, way.target.port, settings.timeout_seconds, settings.end_of_data_seconds
    )


async def _refusal(way: Ways, settings: Settings, found: SideMeasurements) -> None:
    """See how an application learns that the upstream is down; it stays down."""
    if way.upstream is None:
        return
    await way.upstream.refuse()
    started = time.perf_counter()
    visible = False
    with anyio.move_on_after(settings.refusal_seconds):
        try:
            async with await anyio.connect_tcp(way.target.host, way.target.port) as stream:
                await stream.send(b"GET / HTTP/1.1\r\nHost: upstream\r\n\r\n")
                await stream.receive()
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            visible = True
    found.refusal = Refusal(visible, time.perf_counter() - started)
