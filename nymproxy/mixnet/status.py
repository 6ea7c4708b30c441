"""The present status of a client, for any number of watchers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.lowlevel

from nymproxy._signal import Signal

if TYPE_CHECKING:
    from nymproxy.mixnet.machine import ClientStatus


class StatusBoard:
    """The present status, and an iterator over changes for any number of watchers."""

    def __init__(self, status: ClientStatus) -> None:
        self._status = status
        self._changed = Signal()

    @property
    def current(self) -> ClientStatus:
        """The present status."""
        return self._status

    def show(self, status: ClientStatus) -> None:
        """Replace the status. Nothing changes after a closed one."""
        if status != self._status and not self._status.is_closed:
            self._status = status
            self._changed.set()

    def changes(self) -> StatusChanges:
        """Iterate over the present status and each later one, until the closed one."""
        return StatusChanges(self)

    async def wait_other(self, seen: ClientStatus) -> ClientStatus:
        """Wait until the status is another one than ``seen``, and return it."""
        while self._status is seen:
            await self._changed.wait()
        return self._status


class StatusChanges:
    """An asynchronous iterator over a board; a slow watcher skips some."""

    def __init__(self, board: StatusBoard) -> None:
        self._board = board
        self._seen: ClientStatus | None = None

    def __aiter__(self) -> StatusChanges:
        return self

    async def __anext__(self) -> ClientStatus:
        """Return the next status."""
        await anyio.lowlevel.checkpoint()
        if self._seen is None:
            self._seen = self._board.current
        elif self._seen.is_closed:
            raise StopAsyncIteration
        else:
            self._seen = await self._board.wait_other(self._seen)
        return self._seen
