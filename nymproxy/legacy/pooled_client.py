"""A client that was taken from a pool, and the task that keeps it working."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from nymproxy.errors import NymError
from nymproxy.legacy.connector import FLUSH_SECONDS

if TYPE_CHECKING:
    from types import TracebackType

    from nymproxy.mixnet.transport import ConnectedClient

logger = logging.getLogger("nymproxy.legacy")


class PooledClient:
    """A client taken from a pool. ``async with`` gives the client and disconnects it."""

    def __init__(self, client: ConnectedClient, created_at: float) -> None:
        self.client = client
        self.created_at = created_at
        self._released = anyio.Event()
        self._disconnected = anyio.Event()

    async def disconnect(self) -> None:
        """Disconnect the client, and wait until it is. Idempotent."""
        self._released.set()
        await self._disconnected.wait()

    async def __aenter__(self) -> ConnectedClient:
        return self.client

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.disconnect()

    # The pool's side.

    async def host(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Keep the client working until it is released; in a task of the pool."""
        is_working = False
        try:
            async with self.client:
                is_working = True
                task_status.started()
                await self._released.wait()
        except NymError as error:
            if not is_working:
                raise
            logger.warning("A mixnet client ended: %s", error)
        finally:
            with anyio.move_on_after(FLUSH_SECONDS, shield=True):
                await self.client.aclose()  # if it could not be entered
            self._disconnected.set()

    def release(self) -> None:
        """Let the client be disconnected, without waiting."""
        self._released.set()
