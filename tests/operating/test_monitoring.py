"""What monitoring and the operator get to know, over real sockets."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import stat
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nymproxy.forward.endpoint import TcpEndpoint, UnixEndpoint
from nymproxy.legacy.roster import ClientRoster
from nymproxy.legacy.session import SessionSnapshot
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.machine.status import NOTHING_DONE, READY
from nymproxy.operating import http_server
from nymproxy.operating.http_server import serve_http
from nymproxy.operating.metrics import Metrics
from nymproxy.operating.monitoring import CONTROL_SOCKET_MODE, Monitoring
from nymproxy.operating.readiness import LOST_SECONDS
from nymproxy.operating.service_manager import ServiceManager
from tests.legacy.virtual_time import anyio_backend
from tests.operating.pretended import RECONNECTING, Made, supervised, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nymproxy.operating.supervisor import Supervisor

__all__ = ["anyio_backend"]

SNAPSHOT = SessionSnapshot(7, "stream", "StreamId(0x1)", 12.0, 1000, 2000)


def monitoring_of(supervisor: Supervisor) -> Monitoring:
    account = MemoryAccount(1 << 20)
    metrics = Metrics(lambda: list(supervisor.forwards.values()), account)
    return Monitoring(supervisor, account, metrics.answer)


@asynccontextmanager
async def asked(supervisor: Supervisor, path: Path) -> AsyncIterator[None]:
    """Serve the control socket for the time of the block."""
    answers = monitoring_of(supervisor)
    async with anyio.create_task_group() as tasks:
        serve = partial(
            serve_http, UnixEndpoint(str(path)), answers.answer_operator, mode=CONTROL_SOCKET_MODE
        )
        await tasks.start(serve)
        yield
        tasks.cancel_scope.cancel()


async def ask(path: Path, request: bytes) -> tuple[int, str]:
    async with await anyio.connect_unix(path) as stream:
        await stream.send(request)
        received = b""
        with anyio.fail_after(30):
            try:
                while True:
                    received += await stream.receive()
            except anyio.EndOfStream:
                pass
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body.decode()


def get(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_ready_and_not_ready_are_told_with_the_reason(tmp_path: Path) -> None:
    made, path = Made(), tmp_path / "control"
    async with supervised(made.plan()) as supervisor, asked(supervisor, path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await until(lambda: supervisor.why_not_ready is None)
        assert await ask(path, get("/readyz")) == (200, "ready\n")
        made.proxies[0].show(RECONNECTING)
        await anyio.sleep(LOST_SECONDS + 1)
        reason = "server one: reconnecting to the gateway\n"
        assert await ask(path, get("/readyz")) == (503, reason)
        assert await ask(path, get("/healthz")) == (200, "ok\n")
        made.proxies[0].show(READY)
        await until(lambda: supervisor.why_not_ready is None)
        assert await ask(path, get("/readyz")) == (200, "ready\n")
    assert not path.exists()


async def test_a_manager_hears_of_a_reload_only_from_what_was_ready(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        made = Made(pause_seconds=5.0)
        manager = ServiceManager({"NOTIFY_SOCKET": str(path)})
        plans = [made.plan()]
        async with supervised(*plans, manager=manager, reload=lambda: plans) as supervisor:
            await until(lambda: supervisor.forwards)
            supervisor.reload()
            await until(lambda: supervisor.why_not_ready is None)
            supervisor.reload()
        said = []
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(listening.recv(500).decode().partition("\n")[0])
    assert [each for each in said if "STATUS" not in each] == ["READY=1", "RELOADING=1", "READY=1"]


async def test_the_status_tells_all_but_ids_and_addresses(tmp_path: Path) -> None:
    made, path = Made(), tmp_path / "control"
    async with supervised(made.plan()) as supervisor, asked(supervisor, path):
        await until(lambda: supervisor.why_not_ready is None)
        made.proxies[0].sessions[7] = SNAPSHOT
        # What is ending is in the totals: its bytes count once, and no counter goes back.
        made.proxies[0].sessions[8] = replace(SNAPSHOT, number=8, is_ending=True)
        made.proxies[0].totals.bytes_to_peer = 5
        code, body = await ask(path, get("/status"))
        assert code == 200
        (forward,) = json.loads(body)["forwards"]
        assert forward["ready"]
        assert forward["bytes_to_peer"] == 1005
        assert forward["running_sessions"][0]["number"] == 7
        assert "StreamId" not in body


async def test_a_session_is_closed_by_its_number(tmp_path: Path) -> None:
    made, path = Made(), tmp_path / "control"
    async with supervised(made.plan()) as supervisor, asked(supervisor, path):
        await until(lambda: supervisor.why_not_ready is None)
        made.proxies[0].sessions[7] = SNAPSHOT
        assert await ask(path, get("/sessions/one/7/close", "POST")) == (200, "closed\n")
        assert made.proxies[0].closed == [7]
        for target in ("/sessions/one/8/close", "/sessions/two/7/close", "/sessions/one/x/close"):
            assert (await ask(path, get(target, "POST")))[0] == 404


async def test_the_open_socket_answers_no_more_than_monitoring_needs() -> None:
    made = Made()
    async with supervised(made.plan()) as supervisor:
        monitoring = monitoring_of(supervisor)
        for method, path in (
            ("GET", "/status"),
            ("POST", "/sessions/one/7/close"),
            ("POST", "/readyz"),
            ("GET", "/"),
        ):
            assert monitoring.answer(method, path) is None
        assert Monitoring(supervisor, MemoryAccount()).answer("GET", "/metrics") is None


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (get("/nothing"), 404),
        (get("/healthz", "HEAD"), 200),
        (get("/healthz?verbose=1"), 200),
        (b"nonsense\r\n\r\n", 0),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 0),
    ],
)
async def test_bad_requests_end_their_connection_alone(
    request_bytes: bytes, code: int, tmp_path: Path
) -> None:
    made, path = Made(), tmp_path / "control"
    async with supervised(made.plan()) as supervisor, asked(supervisor, path):
        try:
            assert (await ask(path, request_bytes))[0] == code
        except anyio.BrokenResourceError:
            assert code == 0  # it was cut while we wrote
        assert (await ask(path, get("/healthz")))[0] == 200


async def test_a_fault_of_ours_ends_its_request_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, path = Made(), tmp_path / "control"
    async with supervised(made.plan()) as supervisor, asked(supervisor, path):
        with monkeypatch.context() as faulty:
            faulty.delattr(Monitoring, "status")
            assert (await ask(path, get("/status")))[0] == 500
        assert (await ask(path, get("/status")))[0] == 200
    assert "AttributeError" in caplog.text


async def test_a_number_that_no_session_has_is_not_computed(tmp_path: Path) -> None:
    """The interpreter refuses to read so many digits."""
    made, path = Made(), tmp_path / "control"
    async with supervised(made.plan()) as supervisor, asked(supervisor, path):
        await until(lambda: bool(made.proxies))
        target = f"/sessions/one/{'9' * 5000}/close"
        assert (await ask(path, get(target, "POST")))[0] == 404
        assert (await ask(path, get("/healthz")))[0] == 200


async def test_who_says_nothing_is_left_after_a_while() -> None:
    made = Made()
    async with supervised(made.plan()) as supervisor, anyio.create_task_group() as tasks:
        answers = monitoring_of(supervisor)
        listener = await tasks.start(serve_http, TcpEndpoint("127.0.0.1", 0), answers.answer)
        endpoint = listener.local_endpoint
        async with await anyio.connect_tcp(endpoint.host, endpoint.port) as silent:
            with anyio.fail_after(60), pytest.raises(anyio.EndOfStream):
                await silent.receive()
        tasks.cancel_scope.cancel()


async def test_who_says_nothing_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen such connections made a manager that asks whether we live wait for ten seconds."""
    monkeypatch.setattr(http_server, "REQUEST_SECONDS", math.inf)
    made, path = Made(), tmp_path / "control"
    async with (
        supervised(made.plan()) as supervisor,
        asked(supervisor, path),
        contextlib.AsyncExitStack() as silent,
    ):
        for _ in range(3 * http_server.CONNECTIONS_AT_ONCE):
            await silent.enter_async_context(await anyio.connect_unix(path))
        assert (await ask(path, get("/healthz")))[0] == 200


async def test_what_a_group_does_is_counted_once() -> None:
    made, roster = Made(), ClientRoster(group="web")
    plans = [replace(made.plan(name), roster=roster) for name in ("one", "two")]
    async with supervised(*plans) as supervisor:
        await until(lambda: len(made.proxies) == 2)
        answer = monitoring_of(supervisor).answer("GET", "/metrics")
        assert answer is not None
        text = answer.body.decode()
    assert text.count("nymproxy_ready{") == 2
    assert text.count("nymproxy_mixnet_clients{") == 1
    assert 'nymproxy_retransmissions_total{forward="group web",role="server"}' in text


async def test_metrics_are_what_their_parser_reads_and_name_nobody() -> None:
    made = Made()
    async with supervised(made.plan()) as supervisor:
        await until(lambda: supervisor.why_not_ready is None)
        made.proxies[0].totals.ended["channel-failed"] = 3

        class Client:
            counters = NOTHING_DONE + NOTHING_DONE
            gauges = supervisor.forwards["one"].roster.gauges

        client = Client()
        client.counters = NOTHING_DONE.__class__(
            {"data": 4}, 1, 3, 0, 0, 0, 0, 0, {}, {"delivery": 1}, {}, {"0.1": 2, "inf": 1}, 7.5
        )
        made.proxies[0].entry.connected(client)  # type: ignore[arg-type]
        text = monitoring_of(supervisor).answer("GET", "/metrics")
        assert text is not None
        families = list(text_string_to_metric_families(text.body.decode()))
        samples = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }
        one = (("forward", "one"), ("role", "server"))
        assert samples["nymproxy_ready", *one] == 1
        assert (
            samples["nymproxy_sessions_ended_total", one[0], ("reason", "channel-failed"), one[1]]
            == 3
        )
        assert samples["nymproxy_packets_sent_total", one[0], ("kind", "data"), one[1]] == 4
        assert samples["nymproxy_round_trip_seconds_count", *one] == 3
        assert samples["nymproxy_round_trip_seconds_bucket", one[0], ("le", "0.1"), one[1]] == 2
        assert samples["nymproxy_memory_limit_bytes",] == 1 << 20
        assert {family.name.partition("_")[0] for family in families} == {"nymproxy", "process"}
        labels = {label for family in families for each in family.samples for label in each.labels}
        assert labels <= {"forward", "role", "kind", "code", "reason", "direction", "le"}
