"""An event that happens again and again."""

from __future__ import annotations

import anyio


class Signal:
    """Wakes whoever waits at that moment; a later waiter waits for the next one.

    A wait that follows a check must do so without a checkpoint between the two: what is set in
    between would wake nobody. A task that has to wait elsewhere in between takes
    :meth:`upcoming` before it checks.
    """

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def set(self) -> None:
        """Wake all waiters."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Wait for the next :meth:`set`."""
        await self.upcoming().wait()

    def upcoming(self) -> anyio.Event:
        """Return what the next :meth:`set` sets."""
        if self._event is None:
            self._event = anyio.Event()
        return self._event
