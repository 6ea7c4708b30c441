"""The forwarder between real sockets and channels in memory."""

from __future__ import annotations

import gc
import logging
import sys
import weakref
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketAttribute, SocketListener

from nymproxy.errors import ResetCode, StreamDataLost, StreamReset
from nymproxy.forward.forwarder import ForwardEnd, Forwarding, ForwardResult, forward
from nymproxy.forward.sockets import reset_stream
from tests.forward.fakes import (
    MemoryChannel,
    memory_channels,
    receive_all,
    send_until_it_stalls,
    tcp_pair,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import ByteStream, SocketStream


CARRIES_UNTIL_KILLED = """
import sys, anyio
from nymproxy.forward.forwarder import forward
from tests.forward.fakes import memory_channels

async def main():
    near, far = memory_channels(window=100_000)
    await far.send(b"half of it")
    await forward(await anyio.connect_tcp("127.0.0.1", int(sys.argv[1])), near)

anyio.run(main)
"""


class Scene:
    """An app's socket, a forwarder in the background, and the far end of its channel."""

    def __init__(self, app: SocketStream, far: MemoryChannel, near: MemoryChannel) -> None:
        self.app = app
        self.far = far
        self.near = near
        self.scope = anyio.CancelScope()
        self.finished = anyio.Event()
        self.outcome: ForwardResult | None = None

    async def run(self, ours: ByteStream) -> None:
        with self.scope:
            self.outcome = await forward(ours, self.near)
        self.finished.set()

    async def result(self) -> ForwardResult:
        with anyio.fail_after(30):
            await self.finished.wait()
        assert self.outcome is not None
        return self.outcome


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    near, far = memory_channels(window=100_000)
    async with tcp_pair() as (app, ours), anyio.create_task_group() as tasks:
        scene = Scene(app, far, near)
        tasks.start_soon(scene.run, ours)
        yield scene
        scene.scope.cancel()


async def test_bytes_go_both_ways_and_are_counted(scene: Scene) -> None:
    await scene.app.send(b"request")
    assert await scene.far.receive() == b"request"
    await scene.far.send(b"the response")
    assert await scene.app.receive() == b"the response"
    await scene.app.send_eof()
    await scene.far.send_eof()
    result = await scene.result()
    assert result == ForwardResult(ForwardEnd.FINISHED, 7, 12)
    assert str(result) == "finished, 7 bytes out, 12 in"
    assert scene.near.closed


async def test_one_that_is_over_does_not_wait_for_the_garbage_collector() -> None:
    near, far = memory_channels(window=100_000)
    gc.disable()
    try:
        async with tcp_pair() as (app, ours):
            forwarding = Forwarding(ours, near)
            left = weakref.ref(forwarding)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(forwarding.run)
                del forwarding
                await app.send_eof()
                await far.send_eof()
                assert await receive_all(app) == b""
            with anyio.fail_after(20):  # the event loop has the task for another round
                while left() is not None:
                    await anyio.lowlevel.checkpoint()
    finally:
        gc.enable()


async def test_the_app_half_closes_and_still_gets_the_response(scene: Scene) -> None:
    await scene.app.send(b"request")
    await scene.app.send_eof()
    assert await receive_all(scene.far) == b"request"
    await scene.far.send(b"late response")
    await scene.far.send_eof()
    assert await receive_all(scene.app) == b"late response"
    assert (await scene.result()).end is ForwardEnd.FINISHED


async def test_the_channel_ends_first_and_the_app_may_still_send(scene: Scene) -> None:
    await scene.far.send_eof()
    assert await receive_all(scene.app) == b""
    await scene.app.send(b"afterwards")
    await scene.app.send_eof()
    assert await receive_all(scene.far) == b"afterwards"
    assert (await scene.result()).end is ForwardEnd.FINISHED


@pytest.mark.parametrize(
    "error", [StreamReset("aborted", ResetCode.CANCELLED), StreamDataLost("message 7 is missing")]
)
async def test_a_broken_channel_resets_the_socket(
    scene: Scene, error: StreamReset | StreamDataLost
) -> None:
    """Truncated data must never look like a complete stream."""
    await scene.far.send(b"half of the resp")
    assert await scene.app.receive() == b"half of the resp"
    scene.near.lose(error)
    with pytest.raises(anyio.BrokenResourceError):
        await receive_all(scene.app)
    result = await scene.result()
    assert result.end is ForwardEnd.CHANNEL_FAILED
    assert str(error) in str(result)


async def test_a_broken_channel_is_noticed_while_the_app_neither_reads_nor_writes(
    scene: Scene,
) -> None:
    await send_until_it_stalls(scene.far)
    scene.near.lose(StreamReset("aborted", ResetCode.CANCELLED))
    assert (await scene.result()).end is ForwardEnd.CHANNEL_FAILED
    with pytest.raises(anyio.BrokenResourceError):
        await receive_all(scene.app)


async def test_a_reset_after_the_apps_own_end_is_seen_as_well(scene: Scene) -> None:
    await scene.app.send_eof()
    assert await receive_all(scene.far) == b""
    scene.far.abort(ResetCode.REFUSED, "connection refused")
    with pytest.raises(anyio.BrokenResourceError):
        await receive_all(scene.app)


async def test_an_app_that_resets_ends_both_directions(scene: Scene) -> None:
    await scene.app.send(b"x")
    assert await scene.far.receive() == b"x"
    await reset_stream(scene.app)
    result = await scene.result()
    assert result.end is ForwardEnd.SOCKET_FAILED
    assert scene.near.aborted_with is ResetCode.CANCELLED
    with pytest.raises(anyio.BrokenResourceError):
        await scene.far.receive()


async def test_d34_a_write_error_ends_both_directions(scene: Scene) -> None:
    """The app closes its socket while a response is still arriving."""
    await scene.app.send_eof()
    assert await receive_all(scene.far) == b""
    await scene.app.aclose()
    with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(30):
        await scene.far.send(b"x" * 100_000_000)
    assert (await scene.result()).end is ForwardEnd.SOCKET_FAILED
    assert scene.near.aborted_with is ResetCode.CANCELLED


async def test_cancelling_resets_the_socket_and_aborts_the_channel(scene: Scene) -> None:
    await scene.app.send(b"x")
    assert await scene.far.receive() == b"x"
    scene.scope.cancel()
    with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(30):
        await receive_all(scene.app)
    await scene.finished.wait()
    assert scene.near.aborted_with is ResetCode.SHUTTING_DOWN


async def test_an_app_that_does_not_read_stops_the_channel_and_not_more(scene: Scene) -> None:
    """Back-pressure towards the mixnet: nothing is read ahead of what the socket takes."""
    accepted = await send_until_it_stalls(scene.far)
    assert 0 < scene.near.most_unread <= scene.near.window
    received = 0
    with anyio.fail_after(30):
        while received < accepted:
            received += len(await scene.app.receive())


async def test_a_channel_that_does_not_accept_stops_the_app(scene: Scene) -> None:
    """Back-pressure towards the app: its send blocks once the socket buffers are full."""
    sent = await send_until_it_stalls(scene.app)
    assert len(scene.far.unread) <= scene.far.window
    received = 0
    with anyio.fail_after(30):
        while received < sent:
            received += len(await scene.far.receive())


async def test_a_large_transfer_arrives_as_it_was_sent(scene: Scene) -> None:
    body = bytes(range(256)) * 4096

    async def upload() -> None:
        await scene.app.send(body)
        await scene.app.send_eof()

    async def download() -> None:
        await scene.far.send(body[::-1])
        await scene.far.send_eof()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(upload)
            tasks.start_soon(download)
            received: list[bytes] = []

            async def collect() -> None:
                received.append(await receive_all(scene.app))

            tasks.start_soon(collect)
            assert await receive_all(scene.far) == body
    assert received == [body[::-1]]
    assert await scene.result() == ForwardResult(ForwardEnd.FINISHED, len(body), len(body))


async def test_counters_are_live() -> None:
    near, far = memory_channels()
    async with tcp_pair() as (app, ours), anyio.create_task_group() as tasks:
        forwarding = Forwarding(ours, near)
        tasks.start_soon(forwarding.run)
        await app.send(b"12345")
        assert await far.receive() == b"12345"
        await anyio.wait_all_tasks_blocked()
        assert forwarding.bytes_to_channel == 5
        assert forwarding.bytes_to_socket == 0
        tasks.cancel_scope.cancel()


async def test_nothing_that_was_carried_is_logged(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await scene.app.send(b"very secret")
    assert await scene.far.receive() == b"very secret"
    await reset_stream(scene.app)
    await scene.result()
    assert "secret" not in caplog.text


async def test_a_killed_process_resets_what_it_carried() -> None:
    """The system closes its sockets, in order: half an answer looked like a whole one."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listeners:
        listener = listeners.listeners[0]
        assert isinstance(listener, SocketListener)
        port = str(listener.extra(SocketAttribute.local_port))
        command = [sys.executable, "-c", CARRIES_UNTIL_KILLED, port]
        async with await anyio.open_process(command) as process:
            with anyio.fail_after(60):
                async with await listener.accept() as app:
                    assert await app.receive() == b"half of it"
                    process.kill()
                    with pytest.raises(anyio.BrokenResourceError):
                        await app.receive()
