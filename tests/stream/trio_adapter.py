"""A :class:`MixnetStream` as a trio stream, for trio's own contract checks.

It maps names and exceptions, and adds neither checkpoints nor tests for closed.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import trio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy.stream.stream import MixnetStream


@contextmanager
def trio_errors() -> Iterator[None]:
    """Turn anyio's exceptions into trio's."""
    try:
        yield
    except anyio.ClosedResourceError as error:
        raise trio.ClosedResourceError from error
    except anyio.BrokenResourceError as error:
        raise trio.BrokenResourceError from error
    except anyio.BusyResourceError as error:
        raise trio.BusyResourceError from error


class TrioStream(trio.abc.HalfCloseableStream):
    """The adapter."""

    def __init__(self, stream: MixnetStream) -> None:
        self.stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio_errors():
            await self.stream.send(data)

    async def wait_send_all_might_not_block(self) -> None:
        with trio_errors():
            await self.stream.send(b"")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        with trio_errors():
            try:
                return await self.stream.receive(65536 if max_bytes is None else max_bytes)
            except anyio.EndOfStream:
                return b""

    async def send_eof(self) -> None:
        with trio_errors():
            await self.stream.send_eof()

    async def aclose(self) -> None:
        await self.stream.aclose()
