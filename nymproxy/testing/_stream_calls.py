"""Calls of a stream under check: each must give other tasks a turn, and raise what it should."""

from __future__ import annotations

import types
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import anyio
from anyio import BrokenResourceError, EndOfStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator

    from anyio.abc import ByteStream

    StreamMaker: TypeAlias = Callable[[], Awaitable[tuple[ByteStream, ByteStream]]]

_T = TypeVar("_T")


@asynccontextmanager
async def pair(maker: StreamMaker) -> AsyncIterator[tuple[ByteStream, ByteStream]]:
    """A fresh pair, closed at the end."""
    first, second = await maker()
    try:
        yield first, second
    finally:
        await anyio.aclose_forcefully(first)
        await anyio.aclose_forcefully(second)


def flipped(maker: StreamMaker) -> StreamMaker:
    """Return a maker of the same pairs with their ends exchanged."""

    async def make() -> tuple[ByteStream, ByteStream]:
        first, second = await maker()
        return second, first

    return make


@contextmanager
def raises(expected: type[BaseException]) -> Iterator[None]:
    """Insist on an exception."""
    try:
        yield
    except expected:
        return
    raise AssertionError(f"expected {expected.__name__}")


@contextmanager
def group_raises(expected: type[BaseException]) -> Iterator[None]:
    """Insist on a group of one exception."""
    raised: BaseExceptionGroup[BaseException] | None = None
    try:
        yield
    except BaseExceptionGroup as group:
        raised = group
    assert raised is not None, f"expected {expected.__name__}"
    assert [type(error) for error in raised.exceptions] == [expected], repr(raised)


@types.coroutine
def _count_turns(
    coroutine: Coroutine[object, object, _T], turns: list[None]
) -> Generator[object, object, _T]:
    step: Callable[[Any], object] = coroutine.send
    argument: object = None
    while True:
        try:
            request = step(argument)
        except StopIteration as stop:
            return cast("_T", stop.value)
        turns.append(None)
        try:
            argument, step = (yield request), coroutine.send
        except BaseException as error:
            argument, step = error, coroutine.throw


async def yielding(call: Callable[..., Coroutine[object, object, _T]], *arguments: object) -> _T:
    """Make a call that must give other tasks a turn if it does not raise."""
    turns: list[None] = []
    outcome = await _count_turns(call(*arguments), turns)
    assert turns, "the call did not checkpoint"
    return outcome


async def expect(receiver: ByteStream, expected: bytes) -> None:
    """Receive just that."""
    assert await yielding(receiver.receive, len(expected)) == expected


async def expect_end(receiver: ByteStream) -> None:
    """Receive the end."""
    with raises(EndOfStream):
        await yielding(receiver.receive, 10)


async def send_until_broken(sender: ByteStream) -> None:
    """Send until the peer is noticed to be gone."""
    with raises(BrokenResourceError):
        while True:
            await yielding(sender.send, b"x" * 100)
