"""The contract checks: a right stream passes them, and each wrong one is found out."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
import trio
import trio.testing
from anyio.abc import ByteStream

from nymproxy.testing.checks import (
    check_half_closeable_stream,
    check_one_way_stream,
    check_two_way_stream,
)

if TYPE_CHECKING:
    from typing import Self

CAPACITY = 20_000


class Pipe(ByteStream):
    """A byte stream in memory that keeps the contract: small, plain, one end of a pair."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.changed = anyio.Event()
        self.ended = self.closed = self.sending = self.receiving = False
        self.other: Pipe = self

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        first, second = cls(), cls()
        first.other, second.other = second, first
        return first, second

    def notify(self) -> None:
        for end in (self, self.other):
            end.changed.set()
            end.changed = anyio.Event()

    def check_sendable(self) -> None:
        if self.closed or self.ended:
            raise anyio.ClosedResourceError
        if self.other.closed:
            raise anyio.BrokenResourceError

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        if self.sending:
            raise anyio.BusyResourceError("sending to")
        self.sending = True
        try:
            await anyio.lowlevel.checkpoint()
            self.check_sendable()
            while item and len(self.other.buffer) + len(item) > CAPACITY and self.other.buffer:
                await self.changed.wait()
                self.check_sendable()
        finally:
            self.sending = False
        self.other.buffer += item
        self.notify()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if operator.index(max_bytes) < 1:
            raise ValueError
        if self.receiving:
            raise anyio.BusyResourceError("receiving from")
        self.receiving = True
        try:
            await anyio.lowlevel.checkpoint()
            while not self.closed and not self.buffer:
                if self.other.ended or self.other.closed:
                    raise anyio.EndOfStream
                await self.changed.wait()
        finally:
            self.receiving = False
        if self.closed:
            raise anyio.ClosedResourceError
        data = bytes(self.buffer[:max_bytes])
        del self.buffer[:max_bytes]
        self.notify()
        return data

    async def send_eof(self) -> None:
        if self.sending:
            raise anyio.BusyResourceError("sending to")
        self.ended = True
        self.notify()
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self.closed = True
        self.notify()
        await anyio.lowlevel.checkpoint()


async def clogged(kind: type[Pipe]) -> tuple[Pipe, Pipe]:
    pair = kind.pair()
    for end in pair:
        await end.send(b"x" * CAPACITY)
    return pair


async def check_everything(kind: type[Pipe]) -> None:
    async def make() -> tuple[Pipe, Pipe]:
        return kind.pair()

    async def make_clogged() -> tuple[Pipe, Pipe]:
        return await clogged(kind)

    with anyio.fail_after(30):
        await check_one_way_stream(make, None)
        await check_two_way_stream(make, make_clogged)
        await check_half_closeable_stream(make, make_clogged)


async def test_a_stream_that_keeps_the_contract_passes() -> None:
    await check_everything(Pipe)


def fails(kind: type[Pipe]) -> bool:
    """Run all checks; a check that waits for ever is a failure, found without waiting."""

    async def main() -> bool:
        with anyio.move_on_after(5) as scope:
            await check_everything(kind)
        return scope.cancelled_caught

    try:
        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.001))
    except (Exception, BaseExceptionGroup):
        return True


class NoCheckpoint(Pipe):
    async def send(self, item: bytes | bytearray | memoryview) -> None:
        self.check_sendable()
        if self.other.buffer and len(self.other.buffer) + len(item) > CAPACITY:
            await super().send(item)
        else:
            self.other.buffer += item
            self.notify()


class ReturnsTooMuch(Pipe):
    async def receive(self, max_bytes: int = 65536) -> bytes:
        return await super().receive(max_bytes if max_bytes < 1 else 65536)


class AcceptsAnyMaximum(Pipe):
    async def receive(self, max_bytes: int = 65536) -> bytes:
        return await super().receive(max(1, int(max_bytes)))


class ReturnsNothingAtTheEnd(Pipe):
    async def receive(self, max_bytes: int = 65536) -> bytes:
        try:
            return await super().receive(max_bytes)
        except anyio.EndOfStream:
            return b""


class NeverBusy(Pipe):
    async def receive(self, max_bytes: int = 65536) -> bytes:
        self.receiving = False
        return await super().receive(max_bytes)


class EmptySendIgnoresClose(Pipe):
    async def send(self, item: bytes | bytearray | memoryview) -> None:
        if not item:
            await anyio.lowlevel.checkpoint()
        else:
            await super().send(item)


class EndClosesBothWays(Pipe):
    async def send_eof(self) -> None:
        await super().send_eof()
        await self.aclose()


class SendsAfterTheEnd(Pipe):
    def check_sendable(self) -> None:
        ended, self.ended = self.ended, False
        super().check_sendable()
        self.ended = ended


class LosesWhatWasSent(Pipe):
    async def aclose(self) -> None:
        self.other.buffer.clear()
        await super().aclose()


class SwapsBytes(Pipe):
    async def send(self, item: bytes | bytearray | memoryview) -> None:
        await super().send(bytes(item)[::-1])


class EndWhileSending(Pipe):
    async def send_eof(self) -> None:
        sending, self.sending = self.sending, False
        await super().send_eof()
        self.sending = sending


class CancelledCloseDoesNothing(Pipe):
    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        await super().aclose()


@pytest.mark.parametrize(
    "kind",
    [
        NoCheckpoint,
        ReturnsTooMuch,
        AcceptsAnyMaximum,
        ReturnsNothingAtTheEnd,
        NeverBusy,
        EmptySendIgnoresClose,
        EndClosesBothWays,
        SendsAfterTheEnd,
        LosesWhatWasSent,
        SwapsBytes,
        EndWhileSending,
        CancelledCloseDoesNothing,
    ],
)
def test_a_stream_that_breaks_the_contract_is_found_out(kind: type[Pipe]) -> None:
    assert fails(kind)


def test_the_right_stream_passes_in_no_virtual_time() -> None:
    assert not fails(Pipe)


async def test_a_deaf_stream_is_found_out_as_not_clogged() -> None:
    async def make() -> tuple[Pipe, Pipe]:
        return Pipe.pair()

    with pytest.raises((AssertionError, BaseExceptionGroup)):
        await check_one_way_stream(make, make)
