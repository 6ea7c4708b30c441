"""The asyncio adapter: readers and writers as asyncio's own, and its errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import ResetCode, StreamDataLost, StreamRefused, StreamReset
from nymproxy.stream.asyncio_streams import asyncio_streams, connection_error
from tests.stream.support import connected_pair, receive_all, with_rules

if TYPE_CHECKING:
    from nymproxy.stream.stream import MixnetStream


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_lines_go_both_ways() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect()
        async with (
            asyncio_streams(dialed) as (reader, writer),
            asyncio_streams(accepted) as (peer_reader, peer_writer),
        ):
            writer.write(b"hello\nworld\n")
            await writer.drain()
            assert await peer_reader.readline() == b"hello\n"
            assert await peer_reader.readexactly(5) == b"world"
            peer_writer.writelines([b"good", b"bye"])
            peer_writer.write_eof()
            assert await reader.read() == b"goodbye"
            assert reader.at_eof()


async def test_half_close_leaves_the_other_direction_open() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect()
        async with asyncio_streams(dialed) as (reader, writer):
            assert writer.can_write_eof()
            writer.write(b"request")
            writer.write_eof()
            assert await receive_all(accepted) == b"request"
            await accepted.send(b"response")
            await accepted.send_eof()
            assert await reader.read() == b"response"
            with pytest.raises(RuntimeError):
                writer.write(b"more")


async def test_leaving_the_block_flushes_and_closes() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect()
        received: list[bytes] = []

        async def receive() -> None:
            received.append(await receive_all(accepted))

        async with anyio.create_task_group() as task_group:
            task_group.start_soon(receive)
            async with asyncio_streams(dialed) as (_, writer):
                writer.write(b"x" * 300_000)
            assert writer.is_closing()
            with pytest.raises(anyio.ClosedResourceError):
                await dialed.send(b"x")
        assert received == [b"x" * 300_000]


async def test_the_writer_closed_in_the_block_finishes() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect()
        async with asyncio_streams(dialed) as (_, writer):
            writer.write(b"all")
            writer.close()
            await writer.wait_closed()
            assert await receive_all(accepted) == b"all"


async def test_an_exception_in_the_block_aborts() -> None:
    async def fail_in_the_block(stream: MixnetStream) -> None:
        async with asyncio_streams(stream):
            raise LookupError

    async with connected_pair() as pair:
        dialed, accepted = await pair.connect(wait=True)
        with pytest.raises(LookupError):
            await fail_in_the_block(dialed)
        with pytest.raises(anyio.BrokenResourceError):
            await accepted.receive()


async def test_a_full_writer_waits_in_drain() -> None:
    options = with_rules(initial_window_bytes=32 * 1024, send_window_bytes=16 * 1024)
    async with connected_pair(options=options) as pair:
        dialed, accepted = await pair.connect(wait=True)
        async with asyncio_streams(dialed) as (_, writer):
            writer.write(bytes(500_000))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.05)
            assert writer.transport.get_write_buffer_size() == 0  # one piece is being sent
            writer.write(bytes(100_000))
            assert writer.transport.get_write_buffer_size() == 100_000
            got = 0
            while got < 600_000:
                got += len(await accepted.receive())
            await writer.drain()


async def test_a_reader_that_is_not_read_stops_receiving() -> None:
    options = with_rules(initial_window_bytes=64 * 1024, send_window_bytes=32 * 1024)
    async with connected_pair(options=options) as pair:
        dialed, accepted = await pair.connect(wait=True)
        async with asyncio_streams(dialed, limit=1024) as (reader, writer):
            async with anyio.create_task_group() as sending:
                sending.start_soon(accepted.send, bytes(500_000))
                with anyio.fail_after(60):
                    while writer.transport.is_reading():  # type: ignore[attr-defined]  # noqa: ASYNC110
                        await anyio.sleep(0.01)
                    got = 0
                    while got < 90_000:
                        got += len(await reader.read(10_000))
                sending.cancel_scope.cancel()
            writer.transport.abort()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ResetCode.REFUSED, ConnectionRefusedError),
        (ResetCode.DATA_LOST, ConnectionResetError),
    ],
)
async def test_a_reset_is_a_built_in_connection_error(
    code: ResetCode, kind: type[ConnectionError]
) -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect(wait=True)
        async with asyncio_streams(dialed) as (reader, writer):
            accepted.abort(code)
            with pytest.raises(kind):
                await reader.read()
            with pytest.raises(ConnectionError):
                await writer.drain()


def test_connection_errors() -> None:
    assert type(connection_error(StreamRefused("no"))) is ConnectionRefusedError
    assert type(connection_error(StreamReset("gone"))) is ConnectionResetError
    assert type(connection_error(StreamDataLost("gap"))) is ConnectionAbortedError
    assert type(connection_error(None)) is ConnectionAbortedError
    assert str(connection_error(StreamDataLost("gap"))) == "gap"


async def test_the_transport_knows_its_peer_and_its_limits() -> None:
    async with connected_pair() as pair:
        dialed, _ = await pair.connect()
        async with asyncio_streams(dialed) as (_, writer):
            assert writer.get_extra_info("peername") == pair.acceptor.address
            assert writer.get_extra_info("stream") is dialed
            assert writer.get_extra_info("socket") is None
            transport = writer.transport
            transport.set_write_buffer_limits(high=1000)
            assert transport.get_write_buffer_limits() == (250, 1000)
            transport.set_write_buffer_limits(low=1000)
            assert transport.get_write_buffer_limits() == (1000, 4000)
            with pytest.raises(ValueError, match="must be >="):
                transport.set_write_buffer_limits(high=1, low=2)
