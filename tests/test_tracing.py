"""What the trace hook is told, and that it can end nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import AddressError, StreamRefused, StreamReset
from nymproxy.forward.sockets import reset_stream
from nymproxy.legacy.client import NymProxyClient
from nymproxy.stream.client import MixnetClient
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import MemoryNetwork
from nymproxy.tracing import TraceEvent, traced
from tests.legacy.memory_clients import MemoryConnector
from tests.legacy.proxies import echo, read_all, running_server, until, upstream

if TYPE_CHECKING:
    from nymproxy.legacy.wire import WireChoice
    from nymproxy.stream.stream import MixnetStream


class Log(list[TraceEvent]):
    """Keeps what a hook is told."""

    def __call__(self, event: TraceEvent) -> None:
        self.append(event)

    def steps(self, operation: str) -> list[str]:
        return [event.phase for event in self if event.operation == operation]

    def end_of(self, operation: str) -> TraceEvent:
        (event,) = (e for e in self if e.operation == operation and e.phase != "started")
        return event


async def exchange(client: StreamEndpoint, server: StreamEndpoint) -> None:
    """Send five bytes there and three back, each way to its end."""

    async def answer(stream: MixnetStream) -> None:
        async with stream:
            assert b"".join([data async for data in stream]) == b"hello"
            await stream.send(b"yes")
        await stream.wait_closed()
        answered.set()

    answered = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.listener().serve, answer)
        async with await client.open_stream(server.address) as stream:
            await stream.send(memoryview(b"hello"))
            await stream.send_eof()
            assert b"".join([data async for data in stream]) == b"yes"
            await stream.wait_closed()
        await answered.wait()
        tasks.cancel_scope.cancel()


async def test_both_sides_tell_of_a_stream_from_its_start_to_its_end() -> None:
    dialer, acceptor = Log(), Log()
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint(), trace=acceptor) as server,
        StreamEndpoint(network.endpoint(), trace=dialer) as client,
    ):
        await exchange(client, server)
    assert dialer.steps("open_stream") == ["started", "complete"]
    assert acceptor.steps("open_stream") == []
    for log, side, sent in ((dialer, "dialer", 5), (acceptor, "acceptor", 3)):
        assert log.steps("stream") == ["started", "complete"]
        start, end = (event for event in log if event.operation == "stream")
        assert start.number == end.number
        assert end.facts["side"] == side
        assert (end.facts["sent_bytes"], end.facts["received_bytes"]) == (sent, 8 - sent)
        assert end.facts["stream_id"] == start.facts["stream_id"]


async def test_failures_have_the_error_of_the_caller() -> None:
    log = Log()
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint(), grace_seconds=0) as server,
        StreamEndpoint(network.endpoint(), trace=log) as client,
    ):
        server.listener(backlog=0)
        with pytest.raises(AddressError) as no_address:
            await client.open_stream("somewhere")
        assert log.end_of("open_stream").error is no_address.value
        log.clear()
        with pytest.raises(StreamRefused) as refused:
            await client.open_stream(server.address, wait=True)
        assert log.end_of("open_stream").error is refused.value
        log.clear()
        stream = await client.open_stream(server.address)
        stream.abort()
        await stream.wait_closed()
        while not log.steps("stream")[1:]:  # told by the task that sent for it
            await anyio.lowlevel.checkpoint()
        assert isinstance(log.end_of("stream").error, StreamReset)
    assert str(server.address) not in repr(log)


def test_a_cancelled_operation_has_failed() -> None:
    log = Log()
    with pytest.raises(KeyboardInterrupt), traced(log, "open_stream"):
        raise KeyboardInterrupt
    assert log.steps("open_stream") == ["started", "failed"]


async def test_a_hook_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: TraceEvent) -> None:
        raise ValueError(event.phase)

    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint(), trace=fail) as server,
        StreamEndpoint(network.endpoint(), trace=fail) as client,
    ):
        await exchange(client, server)
    assert "the trace hook failed at stream.started" in caplog.text


async def test_connecting_tells_where_it_fails() -> None:
    log = Log()
    with pytest.raises(Exception) as failed:  # noqa: PT011 - whatever the caller gets
        await MixnetClient.connect("missing.env", trace=log)
    assert log.steps("connect") == ["started", "failed"]
    assert log.end_of("connect").error is failed.value


@pytest.mark.parametrize("wire", ["legacy", "stream"])
async def test_both_proxies_tell_of_a_session(wire: WireChoice) -> None:
    """Of one that ends in order, and of one that the app breaks off."""

    def ends() -> list[TraceEvent]:
        return [e for e in (*client_log, *server_log) if e.phase != "started"]

    client_log, server_log = Log(), Log()
    async with (
        MemoryNetwork() as network,
        upstream(echo) as address,
        running_server(network, address, trace=server_log) as server,
        NymProxyClient(
            server.nym_address(),
            listen_port=0,
            wire=wire,
            connector=MemoryConnector(network),
            trace=client_log,
        ) as client,
    ):
        async with await anyio.connect_tcp(*client.local_address) as app:
            await app.send(b"hello")
            await app.send_eof()
            assert await read_all(app) == b"hello"
        await until(lambda: len(ends()) == 2)
        for event in ends():
            assert (event.operation, event.phase, event.error) == ("session", "complete", None)
            assert event.facts["protocol"] == wire
            assert (event.facts["sent_bytes"], event.facts["received_bytes"]) == (5, 5)
        client_log.clear()
        server_log.clear()
        app = await anyio.connect_tcp(*client.local_address)
        await app.send(b"x")
        assert await app.receive() == b"x"
        await reset_stream(app)
        await until(lambda: len(ends()) == 2)
        assert [event.phase for event in ends()] == ["failed", "failed"]
        assert all(event.error is not None for event in ends())
