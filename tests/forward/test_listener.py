"""The TCP listener, and what it survives."""

from __future__ import annotations

import errno
import logging
import socket
import stat
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from nymproxy.errors import ConfigurationError
from nymproxy.forward.endpoint import TcpEndpoint, UnixEndpoint
from nymproxy.forward.listener import StreamListener
from tests.forward.fakes import receive_all, send_until_it_stalls

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream


class BrokenListener:
    """Fails as a listener does when the process has no file descriptor left, then closes."""

    def __init__(self, failures: list[Exception]) -> None:
        self.failures = failures
        self.exhausted = anyio.Event()

    async def accept(self) -> SocketStream:
        await anyio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)
        self.exhausted.set()
        raise anyio.ClosedResourceError


async def echo(stream: SocketStream) -> None:
    async with stream:
        await stream.send(await receive_all(stream))
        await stream.send_eof()


async def ask(endpoint: TcpEndpoint, request: bytes) -> bytes:
    async with await anyio.connect_tcp(endpoint.host, endpoint.port) as stream:
        await stream.send(request)
        await stream.send_eof()
        return await receive_all(stream)


async def test_serves_on_a_free_port_and_stops_when_closed() -> None:
    listener = await StreamListener.bind(TcpEndpoint("127.0.0.1", 0))
    assert listener.local_endpoint.port != 0
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, echo, tasks)
            assert await ask(listener.local_endpoint, b"hello") == b"hello"
            await listener.aclose()
    with pytest.raises(OSError, match=r".*"):
        await anyio.connect_tcp("127.0.0.1", listener.local_endpoint.port)


@pytest.mark.parametrize("steps", range(4))
async def test_closing_ends_an_accept_that_has_only_begun(steps: int) -> None:
    """Closed as a connection comes, it once waited for ever for the next one."""
    listener = await StreamListener.bind(TcpEndpoint("localhost", 0))

    async def close_the_listener(stream: SocketStream) -> None:
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        await listener.aclose()
        await stream.aclose()

    with anyio.fail_after(20):
        async with (
            anyio.create_task_group() as tasks,
            await anyio.connect_tcp("127.0.0.1", listener.local_endpoint.port),
        ):
            await listener.serve(close_the_listener, tasks)


async def test_a_name_with_two_addresses_has_one_port() -> None:
    listener = await StreamListener.bind(TcpEndpoint("localhost", 0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, echo, tasks)
        endpoint = TcpEndpoint("localhost", listener.local_endpoint.port)
        assert await ask(endpoint, b"either") == b"either"
        await listener.aclose()


async def test_a_port_in_use_is_a_configuration_error() -> None:
    listener = await StreamListener.bind(TcpEndpoint("127.0.0.1", 0))
    with pytest.raises(ConfigurationError, match="choose another"):
        await StreamListener.bind(listener.local_endpoint)
    await listener.aclose()


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ECONNABORTED, "Software caused connection abort"),
        anyio.BrokenResourceError(),
    ],
)
async def test_d35_a_failing_accept_is_survived(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    real = await StreamListener.bind(TcpEndpoint("127.0.0.1", 0))
    broken: Any = BrokenListener([failure] * 3)
    listener = StreamListener([broken, *real._listeners], accept_pause_seconds=0.01)
    with caplog.at_level(logging.WARNING), anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, echo, tasks)
            assert await ask(real.local_endpoint, b"still there") == b"still there"
            await broken.exhausted.wait()
            await real.aclose()
    assert caplog.text.count("trying again in 0.01 s") == 1, "once in ten seconds"
    assert ("ulimit -n" in caplog.text) == (getattr(failure, "errno", 0) == errno.EMFILE)


async def test_a_connection_waits_for_room_and_is_not_refused() -> None:
    listener = await StreamListener.bind(TcpEndpoint("127.0.0.1", 0))
    slots = anyio.Semaphore(2)
    running = most = 0

    async def handler(stream: SocketStream) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await echo(stream)
        running -= 1
        slots.release()

    answers: list[bytes] = []

    async def one(number: int) -> None:
        answers.append(await ask(listener.local_endpoint, b"%d" % number))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(listener.serve, room=slots.acquire), handler, tasks)
            async with anyio.create_task_group() as clients:
                for number in range(10):
                    clients.start_soon(one, number)
            await listener.aclose()
    assert sorted(answers) == [b"%d" % number for number in range(10)]
    assert most == 2


async def test_an_accepted_connection_is_not_read_before_its_handler_reads() -> None:
    """While a connection waits for a mixnet client, its upload waits in the app."""
    listener = await StreamListener.bind(TcpEndpoint("127.0.0.1", 0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, hold, tasks)
        async with await anyio.connect_tcp("127.0.0.1", listener.local_endpoint.port) as app:
            assert await send_until_it_stalls(app) < 20_000_000
        await listener.aclose()
        tasks.cancel_scope.cancel()


async def hold(stream: SocketStream) -> None:
    async with stream:
        await anyio.sleep_forever()


async def test_a_unix_socket_is_for_user_and_group_and_goes_with_its_listener(
    tmp_path: Path,
) -> None:
    path = tmp_path / "app.sock"
    listener = await StreamListener.bind(UnixEndpoint(str(path)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, echo, tasks)
            async with await anyio.connect_unix(path) as stream:
                await stream.send(b"hello")
                await stream.send_eof()
                assert await receive_all(stream) == b"hello"
            await listener.aclose()
    assert not path.exists()


async def test_a_unix_socket_is_taken_over_from_the_dead_and_not_from_the_living(
    tmp_path: Path,
) -> None:
    endpoint = UnixEndpoint(str(tmp_path / "app.sock"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(endpoint.path)
    listener = await StreamListener.bind(endpoint)
    with pytest.raises(ConfigurationError, match="another process listens"):
        await StreamListener.bind(endpoint)
    await listener.aclose()
