"""Checks of the stream contract, for any :class:`anyio.abc.ByteStream`, on both backends.

The list of ``trio.testing.check_one_way_stream``, ``check_two_way_stream`` and
``check_half_closeable_stream`` (trio 0.35.0), in anyio's terms: ``send`` and ``receive``, and
``anyio.EndOfStream`` instead of ``b""``. What trio says about ``wait_send_all_might_not_block`` has
no counterpart. A maker is an async function without arguments that returns a connected pair; a
*clogged* pair is one whose ``send`` blocks until the other side receives.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
from anyio import BrokenResourceError, BusyResourceError, ClosedResourceError

from nymproxy.testing._stream_calls import (
    expect,
    expect_end,
    flipped,
    group_raises,
    pair,
    raises,
    send_until_broken,
    yielding,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import ByteStream

    from nymproxy.testing._stream_calls import StreamMaker

_DUPLEX_BYTES = 2**20
_DUPLEX_CHUNK_BYTES = 2**14


async def check_one_way_stream(maker: StreamMaker, clogged_maker: StreamMaker | None) -> None:
    """Check the direction from the first stream of each pair to the second.

    Args:
        maker: makes a fresh pair.
        clogged_maker: makes a pair whose first stream's ``send`` blocks, or ``None`` to leave out
            the checks that need one.

    Raises:
        AssertionError: a check failed.
    """
    for check in (
        _bytes_arrive,
        _arguments_are_checked,
        _one_task_for_each_direction,
        _closing_the_receiver_breaks_the_sender,
        _closed_stays_closed,
        _close_delivers_what_was_sent,
        _forceful_close_of_the_receiver,
        _forceful_close_of_the_sender,
        _cancelled_close_closes,
        _cancelled_calls_leave_the_stream_usable,
        _close_wakes_a_receiver,
    ):
        async with pair(maker) as (sender, receiver):
            await check(sender, receiver)
    if clogged_maker is None:
        return
    for check in (
        _two_blocked_sends_are_refused,
        _close_wakes_a_sender,
        _closing_the_receiver_wakes_a_blocked_sender,
        _a_blocked_send_goes_on_when_there_is_room,
    ):
        async with pair(clogged_maker) as (sender, receiver):
            await check(sender, receiver)


async def check_two_way_stream(maker: StreamMaker, clogged_maker: StreamMaker | None) -> None:
    """Check both directions, alone and at once. Includes :func:`check_one_way_stream`.

    Raises:
        AssertionError: a check failed.
    """
    await check_one_way_stream(maker, clogged_maker)
    await check_one_way_stream(
        flipped(maker), None if clogged_maker is None else flipped(clogged_maker)
    )
    async with pair(maker) as (first, second):
        await _both_directions_at_once(first, second)


async def check_half_closeable_stream(
    maker: StreamMaker, clogged_maker: StreamMaker | None
) -> None:
    """Check that each direction ends by itself. Includes :func:`check_two_way_stream`.

    Raises:
        AssertionError: a check failed.
    """
    await check_two_way_stream(maker, clogged_maker)
    async with pair(maker) as (first, second):
        await _each_direction_ends_by_itself(first, second)
    if clogged_maker is not None:
        async with pair(clogged_maker) as (first, _):
            await _end_while_sending_is_refused(first)


# One direction.


async def _bytes_arrive(sender: ByteStream, receiver: ByteStream) -> None:
    items: list[bytes | bytearray | memoryview] = [b"x", bytearray(b"1"), memoryview(b"2")]
    for item in items:
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(yielding, sender.send, item)
            task_group.start_soon(expect, receiver, bytes(item))

    async def send_empty_then_y() -> None:
        await yielding(sender.send, b"")
        await yielding(sender.send, b"y")

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(send_empty_then_y)
        task_group.start_soon(expect, receiver, b"y")


async def _arguments_are_checked(sender: ByteStream, receiver: ByteStream) -> None:
    for bad in (-1, 0):
        with raises(ValueError):
            await receiver.receive(bad)
    with raises(TypeError):
        await receiver.receive(1.5)  # type: ignore[arg-type]
    async with anyio.create_task_group() as task_group:
        task_group.start_soon(sender.send, b"x")
        assert await receiver.receive() == b"x"


async def _one_task_for_each_direction(sender: ByteStream, receiver: ByteStream) -> None:
    with group_raises(BusyResourceError):
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(yielding, receiver.receive, 1)
            task_group.start_soon(yielding, receiver.receive, 1)


async def _closing_the_receiver_breaks_the_sender(sender: ByteStream, receiver: ByteStream) -> None:
    async with anyio.create_task_group() as task_group:
        task_group.start_soon(send_until_broken, sender)
        task_group.start_soon(yielding, receiver.aclose)
    with raises(BrokenResourceError):  # and stays so
        await yielding(sender.send, b"x" * 100)
    with raises(ClosedResourceError):
        await yielding(receiver.receive, 4096)
    for _ in range(2):
        await yielding(receiver.aclose)
    await yielding(sender.aclose)
    await _sender_is_closed(sender)


async def _sender_is_closed(sender: ByteStream) -> None:
    for item in (b"x" * 100, b""):
        with raises(ClosedResourceError):
            await yielding(sender.send, item)


async def _closed_stays_closed(sender: ByteStream, receiver: ByteStream) -> None:
    async with anyio.create_task_group() as task_group:
        task_group.start_soon(yielding, sender.aclose)
        task_group.start_soon(expect_end, receiver)
    await _sender_is_closed(sender)
    for _ in range(2):
        await yielding(sender.aclose)


async def _close_delivers_what_was_sent(sender: ByteStream, receiver: ByteStream) -> None:
    async def send_then_close() -> None:
        await yielding(sender.send, b"y")
        await yielding(sender.aclose)

    async def receive_then_close() -> None:
        await anyio.wait_all_tasks_blocked()
        await expect(receiver, b"y")
        await expect_end(receiver)
        await yielding(receiver.aclose)

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(send_then_close)
        task_group.start_soon(receive_then_close)


async def _forceful_close_of_the_receiver(sender: ByteStream, receiver: ByteStream) -> None:
    await anyio.aclose_forcefully(receiver)
    await send_until_broken(sender)
    with raises(ClosedResourceError):
        await yielding(receiver.receive, 4096)


async def _forceful_close_of_the_sender(sender: ByteStream, receiver: ByteStream) -> None:
    await anyio.aclose_forcefully(sender)
    with raises(ClosedResourceError):
        await yielding(sender.send, b"123")
    with suppress(BrokenResourceError):  # or a clean end
        await expect_end(receiver)


async def _cancelled_close_closes(sender: ByteStream, receiver: ByteStream) -> None:
    for stream in (receiver, sender):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.aclose()
    with raises(ClosedResourceError):
        await yielding(sender.send, b"123")
    with raises(ClosedResourceError):
        await yielding(receiver.receive, 4096)


async def _cancelled_calls_leave_the_stream_usable(
    sender: ByteStream, receiver: ByteStream
) -> None:
    async def expect_cancelled(call: Callable[..., Awaitable[object]], argument: object) -> None:
        with raises(anyio.get_cancelled_exc_class()):
            await call(argument)

    with anyio.CancelScope() as scope:
        scope.cancel()
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(expect_cancelled, sender.send, b"x")
            task_group.start_soon(expect_cancelled, receiver.receive, 1)
    async with anyio.create_task_group() as task_group:
        task_group.start_soon(yielding, sender.aclose)
        task_group.start_soon(yielding, receiver.aclose)


async def _close_wakes_a_receiver(sender: ByteStream, receiver: ByteStream) -> None:
    async def expect_closed() -> None:
        with raises(ClosedResourceError):
            await receiver.receive(10)

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(expect_closed)
        await anyio.wait_all_tasks_blocked()
        await anyio.aclose_forcefully(receiver)


# One direction that is full.


async def _two_blocked_sends_are_refused(sender: ByteStream, receiver: ByteStream) -> None:
    with group_raises(BusyResourceError):
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(sender.send, b"123")
            task_group.start_soon(sender.send, b"123")


async def _close_wakes_a_sender(sender: ByteStream, receiver: ByteStream) -> None:
    async def close_soon() -> None:
        await anyio.wait_all_tasks_blocked()
        await anyio.aclose_forcefully(sender)

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(close_soon)
        with raises(ClosedResourceError):
            await sender.send(b"xyzzy")


async def _closing_the_receiver_wakes_a_blocked_sender(
    sender: ByteStream, receiver: ByteStream
) -> None:
    async with anyio.create_task_group() as task_group:
        task_group.start_soon(send_until_broken, sender)
        await anyio.wait_all_tasks_blocked()
        await anyio.aclose_forcefully(receiver)


async def _a_blocked_send_goes_on_when_there_is_room(
    sender: ByteStream, receiver: ByteStream
) -> None:
    has_sent = anyio.Event()

    async def send() -> None:
        await sender.send(b"last")
        has_sent.set()

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        assert not has_sent.is_set(), "the pair is not clogged"
        while not has_sent.is_set():
            with anyio.move_on_after(0.05):
                await receiver.receive()


# Both directions.


async def _both_directions_at_once(first: ByteStream, second: ByteStream) -> None:
    data = random.Random(0).randbytes(_DUPLEX_BYTES)
    backwards = data[::-1]

    async def send(stream: ByteStream, data: bytes, seed: int) -> None:
        generator = random.Random(seed)
        position = 0
        while position < len(data):
            end = position + generator.randint(1, _DUPLEX_CHUNK_BYTES)
            await stream.send(data[position:end])
            position = end

    async def receive(stream: ByteStream, expected: bytes, seed: int) -> None:
        generator = random.Random(seed)
        got = bytearray()
        while len(got) < len(expected):
            max_bytes = generator.randint(1, _DUPLEX_CHUNK_BYTES)
            chunk = await stream.receive(max_bytes)
            assert 0 < len(chunk) <= max_bytes
            got += chunk
        assert got == expected, "other bytes arrived than were sent"

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(send, first, data, 0)
        task_group.start_soon(send, second, backwards, 1)
        task_group.start_soon(receive, first, backwards, 2)
        task_group.start_soon(receive, second, data, 3)

    async def expect_end_then_close() -> None:
        await expect_end(second)
        await second.aclose()

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(expect_end_then_close)
        task_group.start_soon(first.aclose)


async def _each_direction_ends_by_itself(first: ByteStream, second: ByteStream) -> None:
    async def send_x_then_end(stream: ByteStream) -> None:
        await stream.send(b"x")
        await yielding(stream.send_eof)

    async def expect_x_then_end(stream: ByteStream) -> None:
        await anyio.wait_all_tasks_blocked()
        assert await stream.receive(10) == b"x"
        for _ in range(2):
            await expect_end(stream)

    async with anyio.create_task_group() as task_group:
        task_group.start_soon(send_x_then_end, first)
        task_group.start_soon(expect_x_then_end, second)
    for item in (b"y", b""):
        with raises(ClosedResourceError):
            await first.send(item)
    await yielding(first.send_eof)  # once more is allowed
    async with anyio.create_task_group() as task_group:
        task_group.start_soon(send_x_then_end, second)
        task_group.start_soon(expect_x_then_end, first)


async def _end_while_sending_is_refused(stream: ByteStream) -> None:
    with group_raises(BusyResourceError):
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(stream.send, b"x")
            await anyio.wait_all_tasks_blocked()
            task_group.start_soon(stream.send_eof)
