"""Parity: what applications are told when something breaks, and a lie turns the run red."""

from __future__ import annotations

import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketAttribute

from nymproxy.testing.processes import child_process
from nymproxy_migrate.parity import truths
from nymproxy_migrate.parity.compare import compare
from nymproxy_migrate.parity.measure import SideMeasurements
from nymproxy_migrate.parity.model import FAILURES, Row, Side, Verdict
from nymproxy_migrate.parity.outcomes import PROMPT_SECONDS, Outcome, Patience, Seen, patient
from nymproxy_migrate.parity.relay import relay, unaltered
from nymproxy_migrate.parity.stage import Stage, Started
from nymproxy_migrate.parity.truth_stage import _Pair, see_truths
from nymproxy_migrate.parity.truths import (
    Breakable,
    Troubles,
    Upstream,
    measure,
    serve,
)
from nymproxy_migrate.report import parity_text
from tests.migrate.parity_faults import lost_end, target
from tests.migrate.parity_reports import empty
from tests.survival.scene import reset

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    from anyio.abc import SocketStream

    from nymproxy_migrate.parity.relay import Alteration

LONG = Patience(20.0, 40.0, 40.0, 40.0)
SHORT = Patience(0.3, 0.3, 0.3, 0.3)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the tool's own


async def flipped(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Alter the last byte of everything that is longer than a mark."""
    async for piece in pieces:
        yield piece if len(piece) < 1000 else piece[:-1] + bytes([piece[-1] ^ 1])


async def shortened(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """End in order after a part of it."""
    async for piece in pieces:
        yield piece[:1000]
        if len(piece) > 1000:
            return


@asynccontextmanager
async def server_of(upstream: Upstream) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """A way to the upstream, and what resets its connections, as a restarted server's client."""
    carried: list[SocketStream] = []

    async def handle(stream: SocketStream) -> None:
        carried.append(stream)
        await upstream.handle(stream)

    async def restart() -> None:
        for stream in carried:
            with suppress(OSError, anyio.ClosedResourceError):
                await reset(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}", restart
        tasks.cancel_scope.cancel()


async def rows_of(patience: Patience, down: Alteration | None = None) -> dict[str, Row]:
    """Break both sides over loopback; a relay, if there is one, makes orderly ends of resets."""
    async with (
        serve() as upstream,
        server_of(upstream) as (address, restart),
        relay(address, down=down or unaltered) as lies,
    ):
        legacy = Breakable(Side.LEGACY, target(address), upstream, restart)
        way = target(address if down is None else lies.address)
        stream = Breakable(Side.STREAM, way, upstream, restart)
        found = await measure([legacy, stream], Troubles(), patience)
    return rows(found[Side.LEGACY], found[Side.STREAM])


def rows(legacy: Mapping[str, Seen], stream: Mapping[str, Seen]) -> dict[str, Row]:
    sides = (
        SideMeasurements(Side.LEGACY, truths=legacy),
        SideMeasurements(Side.STREAM, truths=stream),
    )
    return {
        row.name.removeprefix("failures."): row
        for row in compare(*sides)
        if row.group == "failures"
    }


def values(found: dict[str, Row], verdict: Verdict) -> dict[str, object]:
    return {name: row.stream for name, row in found.items() if row.verdict is verdict}


async def test_what_is_told_is_not_worse() -> None:
    found = await rows_of(LONG)
    assert list(found) == list(FAILURES)
    assert {row.verdict for row in found.values()} == {Verdict.SAME}
    assert (found["altered"].stream, found["gateway"].stream) == ("complete", "complete")


async def test_an_orderly_end_in_place_of_an_error_is_named() -> None:
    found = values(await rows_of(LONG, unaltered), Verdict.WORSE)
    assert found == dict.fromkeys(("upstream_aborts", "app_aborts", "restart"), "cut silently")


async def test_wrong_bytes_are_named() -> None:
    found = values(await rows_of(LONG, flipped), Verdict.WORSE)
    assert (found["altered"], found["gateway"]) == ("wrong bytes", "wrong bytes")


async def test_an_answer_that_ends_too_early_is_named() -> None:
    found = values(await rows_of(LONG, shortened), Verdict.WORSE)
    assert (found["altered"], found["gateway"]) == ("cut silently", "cut silently")


async def test_an_end_that_is_never_told_is_named() -> None:
    found = values(await rows_of(SHORT, lost_end), Verdict.WORSE)
    assert (found["altered"], found["gateway"]) == ("hangs (0 s)", "hangs (0 s)")


@pytest.mark.parametrize("stream", Outcome)
@pytest.mark.parametrize("legacy", Outcome)
def test_the_stream_side_has_to_be_right_whatever_the_other_does(
    legacy: Outcome, stream: Outcome
) -> None:
    (row,) = rows({"restart": Seen(legacy, 31.4)}, {"restart": Seen(stream, 31.4)}).values()
    is_right = stream in {Outcome.TOLD, Outcome.COMPLETE}
    assert (row.verdict is Verdict.WORSE) == (not is_right or stream < legacy)
    assert (row.verdict is Verdict.BETTER) == (is_right and stream > legacy)
    shown = parity_text.render(replace(empty(), rows=(row,)), 80)
    assert max(map(len, shown.splitlines())) <= 80
    if row.verdict is not Verdict.SAME:
        assert f"{FAILURES['restart']}  " in shown
        assert str(row.stream) in shown


SILENT = (None, Outcome.NOTHING)
SLOW = PROMPT_SECONDS + 1


@pytest.mark.parametrize("slow_side", Side)
@pytest.mark.parametrize("stream", SILENT)
@pytest.mark.parametrize("legacy", SILENT)
def test_silence_on_both_sides_of_a_machine_without_time_is_no_verdict(
    legacy: Outcome | None, stream: Outcome | None, slow_side: Side
) -> None:
    old, new = (
        Seen(outcome, 25.0, SLOW if side is slow_side else 0.3)
        for outcome, side in zip((legacy, stream), Side, strict=True)
    )
    (row,) = rows({"altered": old}, {"altered": new}).values()
    assert row.verdict is Verdict.SKIPPED
    report = replace(empty(), rows=(row,))
    assert not report.worse
    assert "skipped failures.altered: the machine had no time" in parity_text.render(report, 80)


@pytest.mark.parametrize("opening_seconds", [0.3, SLOW])
@pytest.mark.parametrize("stream", [*SILENT, Outcome.SHORT, Outcome.WRONG])
@pytest.mark.parametrize("legacy", [Outcome.TOLD, Outcome.COMPLETE])
def test_what_the_legacy_side_can_do_the_stream_side_must_on_any_machine(
    legacy: Outcome, stream: Outcome | None, opening_seconds: float
) -> None:
    old, new = (Seen(outcome, 20.0, opening_seconds) for outcome in (legacy, stream))
    (row,) = rows({"restart": old}, {"restart": new}).values()
    assert row.verdict is Verdict.WORSE


@pytest.mark.parametrize("stream", Outcome)
def test_a_legacy_side_that_was_never_open_is_no_reference(stream: Outcome) -> None:
    (row,) = rows({"restart": Seen(None, 60.0)}, {"restart": Seen(stream, 5.0, 0.3)}).values()
    is_lie = stream in {Outcome.WRONG, Outcome.SHORT}
    assert row.verdict is (Verdict.WORSE if is_lie else Verdict.SKIPPED)
    assert row.legacy == "not open (60 s)"


async def test_what_ends_before_anything_is_broken_is_told_by_nobody() -> None:
    """Neither an orderly end nor a reset is an answer to a failure that has not been."""

    async def refuse(stream: SocketStream) -> None:
        if not refused:
            await reset(stream)
        await stream.aclose()
        refused.append(stream)

    refused: list[SocketStream] = []
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, serve() as upstream, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, refuse)
        port = listener.extra(SocketAttribute.local_port)
        ways = [
            Breakable(Side.LEGACY, target(upstream.address), upstream),
            Breakable(Side.STREAM, target(f"127.0.0.1:{port}"), upstream),
        ]
        found = await measure(ways, Troubles(), SHORT)
        tasks.cancel_scope.cancel()
    assert {seen.outcome for seen in found[Side.STREAM].values()} == {None}
    assert len(refused) == len(FAILURES)
    verdicts = {
        name: row.verdict for name, row in rows(found[Side.LEGACY], found[Side.STREAM]).items()
    }
    assert verdicts["upstream_aborts"] is verdicts["gateway"] is Verdict.WORSE


def test_where_opening_takes_long_all_else_may() -> None:
    assert [patient(10.0, opening) for opening in (0.1, 2.0, 4.0, 60.0)] == [10, 10, 20, 40]


async def test_a_process_that_stood_still_reads_before_it_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(truths, "_TURN_SECONDS", 0.05)

    async def stand_still() -> str:
        await anyio.lowlevel.checkpoint()
        time.sleep(1.2)  # noqa: ASYNC251 - that is what is tried
        await anyio.lowlevel.checkpoint()
        return "read"

    assert await truths._within(1.0, stand_still()) == "read"


class FollowedStage(Stage):
    """Its servers are followed by a task group each, as the old programs are."""

    ended: list[int]

    @asynccontextmanager
    async def server(self, side: Side, upstream: str) -> AsyncIterator[Started]:
        async with (
            child_process(
                f"server-{len(self.ended)}",
                ["-c", "import time; print('{}', flush=True); time.sleep(100)"],
                program=[sys.executable],
                log_directory=self.folder,
                ready_timeout_seconds=60,
            ) as child,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(anyio.sleep_forever)
            yield Started(child.process, address="identity.key@gateway")
            tasks.cancel_scope.cancel()
        self.ended.append(child.process.pid)


async def test_a_server_with_a_task_group_of_its_own_is_restarted_in_another_one(
    tmp_path: Path,
) -> None:
    """A run beside the old programs ended there, after minutes, with a RuntimeError."""
    stage = FollowedStage(Path(), "bare", tmp_path)
    stage.ended = []
    async with anyio.create_task_group() as tasks:
        is_over = anyio.Event()
        pair = _Pair(stage, tasks, is_over, Upstream(), Side.LEGACY)
        pair.server = first = await pair._started_server()
        async with anyio.create_task_group():
            await pair.restart_server()
        assert pair.server is not first
        assert first.process.returncode is not None
        assert pair.server.process.returncode is None
        is_over.set()
    assert len(stage.ended) == 2


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
async def test_what_applications_are_told_on_the_real_stack(tmp_path: Path) -> None:
    found = await see_truths(Stage(Path(), "bare", tmp_path), LONG)
    assert found[Side.LEGACY]["altered"].outcome is Outcome.WRONG
    outcomes = {failure: seen.outcome for failure, seen in found[Side.STREAM].items()}
    assert outcomes == {
        "upstream_aborts": Outcome.TOLD,
        "app_aborts": Outcome.TOLD,
        "altered": Outcome.COMPLETE,
        "restart": Outcome.TOLD,
        "gateway": Outcome.COMPLETE,
    }
