"""A whole parity run: stage, linkability, workloads, comparison, report."""

from __future__ import annotations

import os
import platform
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio

from nymproxy import PROFILES, __version__
from nymproxy_migrate.parity.compare import compare
from nymproxy_migrate.parity.compared import in_words
from nymproxy_migrate.parity.linkability import watch
from nymproxy_migrate.parity.measure import (
    Linkability,
    Measured,
    Settings,
    SideMeasurements,
    measure,
)
from nymproxy_migrate.parity.mixed import MIXED, mixed_echo
from nymproxy_migrate.parity.model import (
    MIXED_ECHO,
    GoodputSeries,
    MixDelays,
    PacketsSeries,
    ParityReport,
    Side,
    Verdict,
)
from nymproxy_migrate.parity.planned import DEFAULT_FLAGS, flags_of, rows_of
from nymproxy_migrate.parity.stage import Servers, Stage, localnet_stage, servers_stage
from nymproxy_migrate.parity.truth_stage import see_truths

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import TaskStatus

    from nymproxy.testing.workloads import WorkloadResult
    from nymproxy_migrate.parity.compared import OldPrograms
    from nymproxy_migrate.parity.outcomes import Seen
    from nymproxy_migrate.parity.planned import PlannedCommand

MIX_LAYERS = 3
_WANDERING = ("_ms", ".goodput", ".packets_per_kb", ".wire_bytes_per_byte")
"""How the rows end whose figures wander with the load of the machine."""
LOCALNET_PROFILE = "bare"
"""No mix delays and no cover: what remains is the work of the proxies, which is to be compared."""
OLD_PROFILE = "default"
"""Beside the old programs, whose delays and cover traffic cannot be turned off, ours have them."""


@dataclass(frozen=True, slots=True)
class Parity:
    """What was asked for.

    Attributes:
        settings: how to measure.
        say: is told what happens, line by line.
        servers: those to compare; ``None`` for a localnet.
        commands: those of a plan, to be run on the localnet.
        old: the programs of the legacy side; None for ours.
        command: what was typed.
    """

    settings: Settings
    say: Callable[[str], None]
    servers: Servers | None = None
    commands: Sequence[PlannedCommand] = ()
    old: OldPrograms | None = None
    command: str = ""

    @property
    def against(self) -> str:
        """What is compared, for the report."""
        if self.servers is not None:
            return "servers"
        return "plan" if self.commands else "localnet"


async def run(parity: Parity) -> ParityReport:
    """Run everything and report.

    Raises:
        NymError: something could not be started, or the network could not be reached.
    """
    started_at, started = datetime.now(UTC), time.perf_counter()
    load_before = _load()
    for side, what in in_words(parity.old, are_servers=parity.servers is not None).items():
        parity.say(f"{side.value} side: {what}")
    async with _stage(parity) as stage, _truths(parity, stage) as truths:
        linkability = await _linkability(stage, parity.say)
        say_result = partial(_say_result, parity.say)
        mixed: dict[Side, Measured] = {}
        if stage.network and stage.old is None and parity.settings.sizes.mixed_round_trips:
            parity.say("starting a pair of each side with the delays of mix nodes")
            mixed = await mixed_echo(stage, parity.settings, say_result)
        parity.say("working through both sides in turns")
        found = await measure(stage.ways, parity.settings, say_result, _slower)
        for side, measured in mixed.items():
            found[side].workloads[MIXED_ECHO] = measured
        for side, value in linkability.items():
            found[side].linkability = value
        for side, seen in (await truths()).items():
            found[side].truths = seen
        parity.say("stopping everything")
        profile = MIXED if mixed else PROFILES[stage.profile]
    doubt = doubt_of(load_before, os.cpu_count() or 1)
    if doubt:
        parity.say(doubt)
    rows = compare(found[Side.LEGACY], found[Side.STREAM])
    if parity.commands:
        rows += rows_of(parity.commands)
    return ParityReport(
        tool_version=__version__,
        started_at=started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(time.perf_counter() - started, 1),
        against=parity.against,
        machine=_machine(load_before),
        doubt=doubt,
        rows=rows,
        echo_round_trips_seconds=_round_trips(found),
        goodput=_goodput(found),
        packets=_packets(found),
        mix_delays=MixDelays(MIX_LAYERS, profile.packet_delay_seconds),
        compared=in_words(parity.old, are_servers=parity.servers is not None),
        command=parity.command,
    )


def _stage(parity: Parity) -> AbstractAsyncContextManager[Stage]:
    if parity.servers is None:
        parity.say("starting a local mixnet, an upstream, and a server and a client of each side")
        flags = flags_of(parity.commands) if parity.commands else DEFAULT_FLAGS
        profile = LOCALNET_PROFILE if parity.old is None else OLD_PROFILE
        return localnet_stage(profile, flags, parity.old)
    parity.say("starting a client for each server")
    return servers_stage(parity.servers)


@asynccontextmanager
async def _truths(
    parity: Parity, stage: Stage
) -> AsyncIterator[Callable[[], Awaitable[Mapping[Side, Mapping[str, Seen]]]]]:
    """Break things on purpose, and wait for what applications see of it during the block.

    Gives what waits for the result. Beside the old programs, whose cover traffic takes a core, that
    begins only then.
    """
    if stage.network is None or not parity.settings.sizes.failures:
        yield _nothing
        return
    patience, say = parity.settings.patience, parity.say
    is_seen = anyio.Event()
    found: dict[Side, Mapping[str, Seen]] = {}

    async def see(*, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        say("breaking connections of other pairs, to see what applications are told")
        found.update(await see_truths(stage, patience, task_status=task_status))
        for side, seen in found.items():
            for failure, what in seen.items():
                say(f"  {failure}, {side.value}: {what}")
        is_seen.set()

    async def result() -> Mapping[Side, Mapping[str, Seen]]:
        if stage.old is not None:
            await see()
        await is_seen.wait()
        return found

    async with anyio.create_task_group() as tasks:
        if stage.old is None:
            await tasks.start(see)
        yield result


async def _nothing() -> Mapping[Side, Mapping[str, Seen]]:
    return {}


async def _linkability(stage: Stage, say: Callable[[str], None]) -> dict[Side, Linkability]:
    say("looking at what a server can link")
    found = {}
    async with stage.listening_post() as post:
        for side in Side:
            seen = await watch(post, partial(stage.client_of_post, side), stage.network)
            found[side] = replace(seen, reserve=stage.flags.reserve(side))
    return found


def _slower(found: dict[Side, SideMeasurements]) -> set[str]:
    """Return the workloads that are worse in what a busy machine makes of them only.

    That is their times, and the packets that were sent again because an answer came late.
    """
    worse: dict[str, list[bool]] = {}
    for row in compare(found[Side.LEGACY], found[Side.STREAM]):
        if row.verdict is Verdict.WORSE:
            worse.setdefault(row.group, []).append(row.name.endswith(_WANDERING))
    return {group for group, wandering in worse.items() if all(wandering)}


def _say_result(say: Callable[[str], None], name: str, side: Side, result: WorkloadResult) -> None:
    outcome = "all right" if result.ok else f"FAILED, {result.problem}"
    moved = f"{result.payload_bytes:,} bytes in {result.seconds:.2f} s"
    say(f"  {name}, {side.value}: {moved}, {outcome}")


def _machine(load_before: float) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": str(os.cpu_count()),
        "load before": f"{load_before:.1f}",
        "load": f"{_load():.1f}",
    }


def _load() -> float:
    """Return how many processes ran or waited for a processor in the last minute, or 0."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def doubt_of(load_before: float, processors: int) -> str:
    """Say what to think of figures from a machine whose processors others already had."""
    if load_before <= processors:
        return ""
    return (
        f"Other programs kept {load_before:.1f} processors of {processors} busy before this began: "
        "times and failures say little of either side. Run it again when the machine is quiet."
    )


def _round_trips(found: dict[Side, SideMeasurements]) -> dict[Side, tuple[float, ...]]:
    """Those with mix delays, if there are any: they are what users feel."""
    echoes = {
        side: one.workloads.get(MIXED_ECHO, one.workloads.get("echo"))
        for side, one in found.items()
    }
    return {
        side: echo.result.round_trips_seconds for side, echo in echoes.items() if echo is not None
    }


def _goodput(found: dict[Side, SideMeasurements]) -> tuple[GoodputSeries, ...]:
    series = []
    for side, one in found.items():
        if (download := one.workloads.get("download")) is not None:
            seconds = tuple(seconds for seconds, _ in download.result.progress)
            received = tuple(received for _, received in download.result.progress)
            series.append(GoodputSeries("download", side, seconds, received))
    return tuple(series)


def _packets(found: dict[Side, SideMeasurements]) -> tuple[PacketsSeries, ...]:
    return tuple(
        PacketsSeries(
            name,
            side,
            one.network.packets_from_clients,
            one.network.bytes_from_clients,
            one.result.payload_bytes,
        )
        for side, measured in found.items()
        for name, one in measured.workloads.items()
        if one.network is not None
    )
