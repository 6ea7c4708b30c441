"""Forwards over time: ready, lost, back, tried again, stopped; and what signals do."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from nymproxy._process_signals import REPEATED_SECONDS, EndingSignal
from nymproxy.errors import ClientDisconnected, ConfigurationError, GatewayUnreachable
from nymproxy.mixnet.machine.status import READY
from nymproxy.operating.logs import forward_name
from nymproxy.operating.readiness import LOST_SECONDS
from nymproxy.operating.supervisor import Supervisor
from tests.legacy.virtual_time import anyio_backend
from tests.operating.pretended import RECONNECTING, Made, supervised, until

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import TaskStatus

    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.operating.forward import Plan, Proxy

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


@pytest.mark.parametrize(("seconds", "said"), [(3.0, 0), (30.0, 1)])
async def test_a_start_that_takes_long_says_what_it_waits_for(
    seconds: float, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a client whose server's gateway is not in the network stood there without a word."""
    made = Made(pause_seconds=seconds)
    async with supervised(made.plan()) as supervisor:
        await anyio.sleep(LOST_SECONDS + 1)
        assert caplog.text.count("server one: not ready yet: not started") == said
        await until(lambda: supervisor.why_not_ready is None)
        await anyio.sleep(60)
    assert caplog.text.count("not ready") == said


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


@pytest.mark.parametrize("kind", ["link", "pipe"])
async def test_what_is_no_file_is_no_address_file(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """``/dev/stdout`` was taken away, for whoever may do so, and came back as a file."""
    there = tmp_path / "there"
    if kind == "link":
        there.symlink_to("/proc/self/fd/1")
    else:
        os.mkfifo(there)
    before = there.lstat()
    async with supervised(Made().plan(address_file=there)) as supervisor:
        await until(lambda: supervisor.why_not_ready is None)
    assert there.lstat() == before
    assert "is no file, and stays as it is" in caplog.text


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


@pytest.mark.parametrize(("options", "name"), [({"reload": list}, "one"), ({}, "")])
async def test_what_a_forward_of_a_file_logs_names_it(options: dict[str, Any], name: str) -> None:
    made, names = Made(), []
    plan = made.plan()

    async def make(roster: ClientRoster) -> Proxy:
        names.append(forward_name.get())
        return await plan.make(roster)

    async with supervised(replace(plan, make=make), **options):
        await until(lambda: made.proxies)
    assert names == [name]


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


class TestReload:
    async def test_what_stays_does_not_notice_and_the_rest_comes_and_goes(self) -> None:
        made, later = Made(), Made()
        plans = [made.plan("stays"), made.plan("goes"), made.plan("limit"), made.plan("changes")]
        wanted = [
            made.plan("stays"),
            made.plan("limit", limit=7),
            made.plan("changes", version=2),
            later.plan("comes"),
        ]
        async with supervised(*plans, tries_again=True, reload=lambda: wanted) as supervisor:
            await until(lambda: len(made.proxies) == 4 and supervisor.why_not_ready is None)
            by_name = {name: each.proxy for name, each in supervisor.forwards.items()}
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: "comes" in supervisor.forwards and len(made.proxies) == 5)
            await until(lambda: supervisor.why_not_ready is None)
            now = {name: each.proxy for name, each in supervisor.forwards.items()}
            assert now.keys() == {"stays", "limit", "changes", "comes"}
            assert now["stays"] is by_name["stays"]
            assert now["limit"] is by_name["limit"]
            assert now["changes"] is not by_name["changes"]
            adjusted: Any = now["limit"]
            assert adjusted.limits == [7]
            gone: Any = by_name["goes"]
            assert gone.drained_for == 3.0

    async def test_limits_that_change_while_it_starts_count_when_it_runs(self) -> None:
        made = Made(pause_seconds=5.0)
        wanted = [made.plan(limit=7)]
        async with supervised(made.plan(), reload=lambda: wanted) as supervisor:
            await until(lambda: supervisor.forwards)
            supervisor.reload()
            await until(lambda: supervisor.why_not_ready is None)
            assert [each.limits for each in made.proxies] == [[7]]

    async def test_what_cannot_be_read_changes_nothing(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail() -> list[Plan]:
            raise ConfigurationError("nymproxy.toml: no TOML")

        made = Made()
        async with supervised(made.plan(), reload=fail) as supervisor:
            await until(lambda: made.proxies)
            supervisor.reload()
            assert "nothing is changed: nymproxy.toml: no TOML" in caplog.text
            assert supervisor.forwards["one"].proxy is made.proxies[0]

    async def test_a_new_one_that_cannot_work_ends_nothing_and_is_tried_at_the_next(self) -> None:
        made = Made()
        broken = Made(errors=[ConfigurationError("the port is taken")])
        wanted = [made.plan("one"), broken.plan("two")]
        async with supervised(made.plan("one"), tries_again=True, reload=lambda: wanted) as it:
            await until(lambda: made.proxies)
            it.reload()
            await until(lambda: "two" in it.forwards and it.forwards["two"].has_given_up)
            assert it.why_not_ready == "server two: the port is taken"
            it.reload()
            await until(lambda: it.why_not_ready is None)
            assert it.forwards["one"].proxy is made.proxies[0]
            assert broken.proxies


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
    assert supervisor.why_not_ready == "stopping", "nobody should send anything new here"


async def test_what_has_not_started_yet_ends_at_once() -> None:
    made = Made(errors=[GatewayUnreachable("no answer")] * 9)
    supervisor = Supervisor([made.plan()], grace_seconds=3.0, tries_again=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await until(lambda: supervisor.forwards and supervisor.forwards["one"].error)
        os.kill(os.getpid(), signal.SIGTERM)
    assert not made.proxies


class TestBeforeTheForwardsStart:
    """While the services start, which listen somewhere, signals come in already."""

    @staticmethod
    def supervisor(made: Made, **options: Any) -> tuple[Supervisor, anyio.Event]:
        begun = anyio.Event()

        async def service(*, task_status: TaskStatus[None]) -> None:
            begun.set()
            await anyio.sleep(5)
            task_status.started()
            await anyio.sleep_forever()

        supervisor = Supervisor([made.plan()], grace_seconds=3.0, **options)
        supervisor.add_service(service)
        return supervisor, begun

    async def test_the_first_signal_to_end_does_so(self) -> None:
        made = Made()
        supervisor, begun = self.supervisor(made)
        with anyio.fail_after(600):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(supervisor.run)
                await begun.wait()
                os.kill(os.getpid(), signal.SIGTERM)
        assert not made.proxies

    async def test_a_reload_says_what_will_start(self) -> None:
        made = Made()
        supervisor, begun = self.supervisor(made, reload=lambda: [made.plan("other")])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await begun.wait()
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: made.proxies and supervisor.why_not_ready is None)
            assert supervisor.forwards.keys() == {"other"}
            tasks.cancel_scope.cancel()


async def test_a_reload_starts_nothing_in_a_process_that_ends() -> None:
    made, drained = Made(), anyio.Event()
    supervisor = Supervisor(
        [made.plan()], grace_seconds=3.0, reload=lambda: [made.plan(), made.plan("new")]
    )
    with anyio.fail_after(600):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await until(lambda: supervisor.why_not_ready is None)
            (proxy,) = made.proxies
            disconnect = proxy.disconnect

            async def drain(grace_seconds: float) -> None:
                await drained.wait()
                await disconnect(grace_seconds)

            setattr(proxy, "disconnect", drain)  # noqa: B010
            os.kill(os.getpid(), signal.SIGTERM)
            await until(lambda: supervisor.why_not_ready == "stopping")
            supervisor.reload()
            drained.set()
    assert len(made.proxies) == 1


async def test_a_signal_that_is_sent_twice_at_once_leaves_the_grace_period(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As ``timeout`` of GNU does; a later one, or another one, ends at once."""
    caplog.set_level("INFO", "nymproxy.operating")
    made = Made()
    supervisor = Supervisor([made.plan()], grace_seconds=600.0)
    with anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await until(lambda: supervisor.why_not_ready is None)
            setattr(made.proxies[0], "disconnect", anyio.sleep)  # noqa: B010
            for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGUSR2):
                os.kill(os.getpid(), number)
            await until(partial(_is_logged, "SIGUSR2 means nothing here", caplog))
            assert "second signal" not in caplog.text
            await anyio.sleep(REPEATED_SECONDS)
            os.kill(os.getpid(), signal.SIGTERM)
    assert "second signal" in caplog.text


@pytest.mark.parametrize(
    ("number", "after_seconds", "is_repeated"),
    [
        (signal.SIGTERM, 0.0, True),
        (signal.SIGTERM, REPEATED_SECONDS - 0.01, True),
        (signal.SIGTERM, REPEATED_SECONDS, False),
        (signal.SIGINT, 0.0, False),
    ],
)
def test_what_repeats_a_signal(
    number: signal.Signals, after_seconds: float, is_repeated: bool
) -> None:
    first = EndingSignal(signal.SIGTERM, 1000.0)
    assert first.is_repeated_by(EndingSignal(number, 1000.0 + after_seconds)) is is_repeated
