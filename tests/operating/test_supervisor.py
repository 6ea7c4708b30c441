"""Forwards over time: ready, lost, back, tried again, stopped; and what signals do."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import ClientDisconnected, ConfigurationError, GatewayUnreachable
from nymproxy.mixnet.machine.status import READY
from nymproxy.operating.readiness import LOST_SECONDS
from nymproxy.operating.supervisor import Supervisor
from tests.legacy.virtual_time import anyio_backend
from tests.operating.pretended import RECONNECTING, Made, supervised, until

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["anyio_backend"]


async def test_the_address_file_is_there_as_long_as_it_is_ready(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    made, file = Made(), tmp_path / "address.json"
    caplog.set_level("INFO", "nymproxy.operating")
    async with supervised(made.plan(address_file=file)) as supervisor:
        await until(file.exists)
        assert json.loads(file.read_text()) == {"event": "ready", "name": "one"}
        (proxy,) = made.proxies
        proxy.show(RECONNECTING)
        lost_at = anyio.current_time()
        await until(lambda: not file.exists())
        assert LOST_SECONDS <= anyio.current_time() - lost_at < LOST_SECONDS + 1
        assert supervisor.why_not_ready == "server one: reconnecting to the gateway"
        proxy.show(READY)
        await until(file.exists)
        await until(lambda: supervisor.why_not_ready is None)
    assert not file.exists()
    assert capsys.readouterr().out.count("\n") == 1, "the ready line is printed once"
    assert "not ready any more: reconnecting to the gateway" in caplog.text
    assert "ready again" in caplog.text


async def test_a_loss_of_a_moment_changes_nothing(tmp_path: Path) -> None:
    made, file = Made(), tmp_path / "address.json"
    async with supervised(made.plan(address_file=file)):
        await until(file.exists)
        written = file.stat().st_mtime_ns
        made.proxies[0].show(RECONNECTING)
        await anyio.sleep(LOST_SECONDS - 1)
        made.proxies[0].show(READY)
        await anyio.sleep(LOST_SECONDS + 1)
        assert file.stat().st_mtime_ns == written


async def test_a_file_of_a_killed_process_goes_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "address.json"
    file.write_text("left over")
    made = Made(errors=[ConfigurationError("no such file")])
    supervisor = Supervisor([made.plan(address_file=file)], grace_seconds=1.0)
    assert not file.exists()
    with pytest.raises(BaseExceptionGroup) as caught:
        await supervisor.run()
    assert caught.group_contains(ConfigurationError)
    assert not file.exists()


async def test_a_forward_that_cannot_reach_the_network_is_tried_again() -> None:
    made = Made(errors=[GatewayUnreachable("no answer"), GatewayUnreachable("no answer")])
    async with supervised(made.plan(), tries_again=True) as supervisor:
        await until(lambda: supervisor.forwards and supervisor.forwards["one"].error)
        assert supervisor.forwards["one"].status.blocked_by == "gateway-unreachable"
        await until(lambda: supervisor.why_not_ready is None)
        assert supervisor.forwards["one"].error is None
        made.proxies[0].lose(ClientDisconnected("refused ten times"))
        await until(lambda: len(made.proxies) == 2)
        await until(lambda: supervisor.forwards["one"].status.is_ready)


async def test_alone_it_ends_with_what_it_lost() -> None:
    made = Made()

    async def lose_it() -> None:
        await until(lambda: made.proxies)
        made.proxies[0].lose(ClientDisconnected("refused ten times"))

    async def run_both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lose_it)
            await Supervisor([made.plan()], grace_seconds=1.0).run()

    with pytest.raises(BaseExceptionGroup) as caught:
        await run_both()
    assert caught.group_contains(ClientDisconnected)


async def test_signals_neither_kill_nor_are_silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "nymproxy.operating")
    made = Made()
    async with supervised(made.plan()) as supervisor:
        await until(lambda: supervisor.why_not_ready is None)
        for number, text in (
            (signal.SIGHUP, "nothing to reload"),
            (signal.SIGUSR1, "sessions begun 0"),
            (signal.SIGUSR2, "SIGUSR2 means nothing here"),
        ):
            os.kill(os.getpid(), number)
            await until(partial(_is_logged, text, caplog))


def _is_logged(text: str, caplog: pytest.LogCaptureFixture) -> bool:
    return text in caplog.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_end_it_drains_and_returns(number: int, tmp_path: Path) -> None:
    made, file = Made(), tmp_path / "address.json"
    supervisor = Supervisor([made.plan(address_file=file)], grace_seconds=3.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await until(file.exists)
        os.kill(os.getpid(), number)
    assert made.proxies[0].drained_for == 3.0
    assert not file.exists()


async def test_what_has_not_started_yet_ends_at_once() -> None:
    made = Made(errors=[GatewayUnreachable("no answer")] * 9)
    supervisor = Supervisor([made.plan()], grace_seconds=3.0, tries_again=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await until(lambda: supervisor.forwards and supervisor.forwards["one"].error)
        os.kill(os.getpid(), signal.SIGTERM)
    assert not made.proxies
