"""The TCP service behind a proxy server that sends every byte back."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute, SocketStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def _echo(stream: SocketStream) -> None:
    # A proxy resets its upstream when a session is cut: that is the end of the echo too.
    with suppress(anyio.BrokenResourceError):
        async with stream:
            async for data in stream:
                await stream.send(data)


@asynccontextmanager
async def echo_service() -> AsyncIterator[str]:
    """Run it for the length of the block; give its address (``host:port``)."""
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, _echo)
        yield f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()
