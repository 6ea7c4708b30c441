"""Two ends of a byte stream in memory, with knobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream


class MemoryByteStream(ByteStream):
    """One end. ``piece`` is the most bytes that one receive returns."""

    def __init__(
        self, outbound: MemoryObjectSendStream[bytes], inbound: MemoryObjectReceiveStream[bytes]
    ) -> None:
        self._outbound = outbound
        self._inbound = inbound
        self._left = b""
        self.piece = 65536
        self.sent: list[bytes] = []

    async def send(self, item: bytes) -> None:
        self.sent.append(bytes(item))
        await self._outbound.send(bytes(item))

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self._left:
            self._left = await self._inbound.receive()
        else:
            await anyio.lowlevel.checkpoint()
        count = min(max_bytes, self.piece)
        data, self._left = self._left[:count], self._left[count:]
        return data

    async def send_eof(self) -> None:
        await self._outbound.aclose()

    async def aclose(self) -> None:
        await self._outbound.aclose()
        await self._inbound.aclose()


def memory_streams(buffered_sends: int = 1000) -> tuple[MemoryByteStream, MemoryByteStream]:
    """Make both ends; ``buffered_sends`` writes fit in between before a writer waits."""
    to_far, from_near = anyio.create_memory_object_stream[bytes](buffered_sends)
    to_near, from_far = anyio.create_memory_object_stream[bytes](buffered_sends)
    return MemoryByteStream(to_far, from_far), MemoryByteStream(to_near, from_near)
