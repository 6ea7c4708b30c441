"""JSON objects, one a line, over a stream between two of our own processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from anyio.abc import ByteStream

_MAX_LINE_BYTES = 1024 * 1024


class JsonLines:
    """The JSON objects that arrive on a stream."""

    def __init__(self, stream: ByteStream) -> None:
        self._buffered = BufferedByteReceiveStream(stream)

    def __aiter__(self) -> JsonLines:
        return self

    async def __anext__(self) -> dict[str, Any]:
        """Return the next object.

        Raises:
            StopAsyncIteration: the other end closed, or died.
        """
        try:
            line = await self._buffered.receive_until(b"\n", _MAX_LINE_BYTES)
        except (
            anyio.EndOfStream,
            anyio.IncompleteRead,
            anyio.BrokenResourceError,
            anyio.ClosedResourceError,
        ):
            raise StopAsyncIteration from None
        document: dict[str, Any] = json.loads(line)
        return document


async def send_json(stream: ByteStream, document: dict[str, Any]) -> None:
    """Write one object as a line."""
    await stream.send(json.dumps(document).encode() + b"\n")
