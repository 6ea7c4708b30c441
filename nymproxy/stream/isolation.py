"""Identities for streams that must not be linked: one for each value of ``isolation``.

As isolation tokens of tor's clients: streams with different values never share an identity, and an
identity that was made for a value serves no other one.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
import anyio.abc

from nymproxy._error_groups import first_cause
from nymproxy._signal import Signal
from nymproxy.errors import ClientDisconnected, NymError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
    from contextlib import AbstractAsyncContextManager

MAX_ISOLATED = 16
"""Identities beside the client's own. Each costs what a client costs."""


_C = TypeVar("_C")


@dataclass(eq=False, slots=True)
class _Place(Generic[_C]):
    """The identity of a value, from the attempt to connect it to its end."""

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    end: anyio.Event = field(default_factory=anyio.Event)
    client: _C | None = None
    error: BaseException | None = None
    users: int = 0
    """Who opens a stream now."""

    def leave(self) -> None:
        """Leave the client in order, or give up connecting it."""
        if self.client is None:
            self.scope.cancel()
        self.end.set()


class IsolatedClients(Generic[_C]):
    """The clients of all values. :meth:`run` runs as long as they may be used.

    Args:
        connect: connects one more; it is entered and left here.
        is_idle: tells of one whether none of its streams goes on.
        has_ended: tells of one whether it can open no stream any more.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[AbstractAsyncContextManager[_C]]],
        *,
        is_idle: Callable[[_C], bool],
        has_ended: Callable[[_C], bool],
    ) -> None:
        self._is_idle = is_idle
        self._has_ended = has_ended
        self._connect = connect
        self._places: dict[Hashable, _Place[_C]] = {}  # the one that was used last is the last
        self._all: set[_Place[_C]] = set()  # those too whose value has another one by now
        self._tasks: anyio.abc.TaskGroup | None = None
        self._is_leaving = False
        self._changed = Signal()

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep what was asked for connected, until cancelled, which cuts what goes on."""
        async with anyio.create_task_group() as self._tasks:
            task_status.started()
            await anyio.sleep_forever()

    async def leave(self) -> None:
        """Leave all clients, each as at the end of its ``async with``, and connect no other."""
        self._is_leaving = True
        for place in self._all:
            place.leave()
        while self._all:
            await self._changed.wait()

    @asynccontextmanager
    async def use(self, value: Hashable) -> AsyncIterator[_C]:
        """Give the client of a value for the time of the block, connecting it if need be.

        Raises:
            UsageError: :data:`MAX_ISOLATED` others have streams that go on.
            ClientDisconnected: the client that they belong to has ended.
            NymError: it cannot be connected.
        """
        place = self._place_of(value)
        place.users += 1
        try:
            while place.client is None:
                if place.error is not None:
                    raise place.error
                await self._changed.wait()
            yield place.client
        finally:
            place.users -= 1

    def _place_of(self, value: Hashable) -> _Place[_C]:
        if self._tasks is None or self._is_leaving:
            raise ClientDisconnected("the client has ended")
        place = self._places.pop(value, None)
        if place is not None and place.client is not None and self._has_ended(place.client):
            place.leave()
            place = None
        if place is None:
            self._make_room()
            place = _Place()
            self._all.add(place)
            self._tasks.start_soon(self._keep, value, place)
        self._places[value] = place
        return place

    def _make_room(self) -> None:
        """Let the identity go that was used least recently, of those without a stream."""
        if len(self._places) < MAX_ISOLATED:
            return
        idle = [value for value, place in self._places.items() if self._may_go(place)]
        if not idle:
            raise UsageError(
                f"{len(self._places)} values of isolation have streams that go on, and more "
                "identities are not kept: end some"
            )
        self._places.pop(idle[0]).leave()

    def _may_go(self, place: _Place[_C]) -> bool:
        return not place.users and (place.client is None or self._is_idle(place.client))

    async def _keep(self, value: Hashable, place: _Place[_C]) -> None:
        try:
            with place.scope:
                async with await self._connect() as place.client:
                    self._changed.set()
                    await place.end.wait()
        except* (NymError, OSError) as group:  # of its tasks, and no affair of ours
            place.error = first_cause(group)
        finally:
            place.error = place.error or ClientDisconnected("the client has ended")
            self._all.discard(place)
            if self._places.get(value) is place:
                del self._places[value]
            self._changed.set()
