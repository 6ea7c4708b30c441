"""The TCP stream that is written at once, and read by one callback."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from anyio.abc import SocketAttribute

from nymproxy import _tcp_stream
from nymproxy._tcp_stream import TcpStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[TcpStream, socket.socket]]:
    """A stream over loopback, and its other end, which blocks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with await TcpStream.connect("127.0.0.1", listener.getsockname()[1]) as stream:
            far, _ = listener.accept()
            with far:
                yield stream, far


async def test_bytes_both_ways() -> None:
    async with connected() as (stream, far):
        await stream.send(b"out")
        assert stream.send_nowait(b"wards") == 5
        assert far.recv(8, socket.MSG_WAITALL) == b"outwards"
        far.sendall(b"in")
        assert await stream.receive() == b"in"


async def test_reads_in_pieces_and_to_the_end() -> None:
    async with connected() as (stream, far):
        far.sendall(b"abcdef")
        assert await stream.receive(4) == b"abcd"
        assert await stream.receive(4) == b"ef"
        far.sendall(b"last")
        far.shutdown(socket.SHUT_WR)
        assert await stream.receive() == b"last"
        for _ in range(2):
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()


async def test_a_peer_faster_than_the_reader_is_held_up_and_nothing_is_lost() -> None:
    sent = bytes(range(251)) * 8_000
    async with connected() as (stream, far), anyio.create_task_group() as tasks:
        tasks.start_soon(partial(anyio.to_thread.run_sync, far.sendall, sent))
        received = bytearray()
        while len(received) < len(sent):
            received += await stream.receive(1000 if len(received) < 50_000 else 65536)
            for _ in range(3):  # asyncio calls back meanwhile, and is told to stop
                await anyio.lowlevel.checkpoint()
    assert received == sent


async def test_more_than_the_socket_takes() -> None:
    sent = b"x" * 5_000_000
    async with connected() as (stream, far), anyio.create_task_group() as tasks:
        expected = len(sent)
        while written := stream.send_nowait(sent[:65536]):
            expected += written
        tasks.start_soon(stream.send, sent)
        await anyio.wait_all_tasks_blocked()
        received = 0
        while received < expected:
            received += len(await anyio.to_thread.run_sync(far.recv, 65536))


async def test_a_reset_is_a_broken_stream() -> None:
    async with connected() as (stream, far):
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far.close()
        with pytest.raises(anyio.BrokenResourceError):
            await stream.receive()
        with pytest.raises(anyio.BrokenResourceError):
            stream.send_nowait(b"x")
        with pytest.raises(anyio.BrokenResourceError):
            await stream.send_eof()


async def test_whoever_reads_is_told_of_the_close() -> None:
    async with connected() as (stream, _), anyio.create_task_group() as tasks:

        async def read() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await stream.receive()

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await stream.receive()
        with pytest.raises(anyio.ClosedResourceError):
            stream.send_nowait(b"x")


async def test_says_eof_and_shows_its_socket() -> None:
    async with connected() as (stream, far):
        await stream.send_eof()
        assert far.recv(1) == b""
        assert stream.extra(SocketAttribute.raw_socket).fileno() >= 0


async def test_a_cancelled_read_loses_nothing() -> None:
    async with connected() as (stream, far):
        with anyio.move_on_after(0) as scope:
            await stream.receive()
        assert scope.cancelled_caught
        far.sendall(b"later")
        assert await stream.receive() == b"later"


async def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OSError, match="connect"):
        await TcpStream.connect("127.0.0.1", port)


@pytest.mark.parametrize("scopes", ["one", "one a read"])
async def test_a_flood_keeps_no_cancellation_off(
    scopes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On asyncio, who is about to go on is not cancelled: a peer that had always said something
    more was listened to for ever, whatever the time limit."""
    monkeypatch.setattr(_tcp_stream, "_READ_BYTES", 1)
    near, far = socket.socketpair()
    far.send(b"x" * 5_000)
    stream, reads, scope = TcpStream(near), 0, anyio.CancelScope()
    for _ in range(10):  # from then on, what comes is there as soon as somebody waits for it
        await stream.receive(1)
    while reads < 4_000 and not scope.cancelled_caught:
        with anyio.move_on_after(0) as scope:
            while reads < 4_000:
                reads += len(await stream.receive(1))
                if scopes != "one":
                    break
    await stream.aclose()
    far.close()
    assert reads < 200
