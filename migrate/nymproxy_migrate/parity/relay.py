"""A TCP relay that counts: the place in front of an upstream where each connection can be seen.

Both directions can be given an alteration, a generator of what to pass on for what comes in.
"""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

import anyio
from anyio.abc import SocketAttribute, SocketStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    Alteration = Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes]]

_BROKEN = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)


async def unaltered(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Pass on everything as it comes."""
    async for piece in pieces:
        yield piece


@dataclass(frozen=True, slots=True)
class RelayTotals:
    """What a relay counted.

    Attributes:
        connections: accepted ones.
        ends_of_data: those whose opener ended its side in order.
        broken: those that broke, or were still open when they should have ended.
    """

    connections: int = 0
    ends_of_data: int = 0
    broken: int = 0

    def __sub__(self, earlier: Self) -> Self:
        names = [each.name for each in fields(self)]
        return type(self)(*(getattr(self, name) - getattr(earlier, name) for name in names))


class Relay:
    """Carries each connection to wherever :meth:`lead_to` said last; made by :func:`relay`."""

    def __init__(
        self, listener: anyio.abc.Listener[SocketStream], up: Alteration, down: Alteration
    ) -> None:
        self._listener = listener
        self._up, self._down = up, down
        self._target = ("", 0)
        self._open: set[anyio.CancelScope] = set()
        self._settled = anyio.Event()
        self._connections = self._ends_of_data = self._broken = 0
        port = listener.extra(SocketAttribute.local_port)
        self.address = f"127.0.0.1:{port}"

    @property
    def totals(self) -> RelayTotals:
        """What was counted so far."""
        return RelayTotals(self._connections, self._ends_of_data, self._broken)

    def lead_to(self, address: str) -> None:
        """Carry the connections from now on to ``address`` (``host:port``)."""
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))

    async def settle(self, seconds: float) -> None:
        """Wait until no connection is open; after ``seconds`` break those that are left."""
        with anyio.move_on_after(seconds):
            while self._open:
                self._settled = anyio.Event()
                await self._settled.wait()
        for scope in tuple(self._open):
            scope.cancel()

    async def refuse(self) -> None:
        """Accept nothing any more: the system refuses connections."""
        await self._listener.aclose()

    async def run(self) -> None:
        """Accept until :meth:`refuse`, or until cancelled."""
        try:
            await self._listener.serve(self._carry)
        except* anyio.ClosedResourceError:
            pass  # refused from now on

    async def _carry(self, near: SocketStream) -> None:
        self._connections += 1
        scope = anyio.CancelScope()
        self._open.add(scope)
        whole = False
        try:
            with scope:
                async with (
                    near,
                    await anyio.connect_tcp(*self._target) as far,
                    anyio.create_task_group() as tasks,
                ):
                    tasks.start_soon(self._pass_on, far, near, self._down)
                    await self._pass_on(near, far, self._up)
                    self._ends_of_data += 1
                whole = True
        except* _BROKEN:
            pass  # counted below
        finally:
            self._broken += not whole
            self._open.discard(scope)
            self._settled.set()

    @staticmethod
    async def _pass_on(source: SocketStream, sink: SocketStream, alter: Alteration) -> None:
        async with aclosing(alter(aiter(source))) as pieces:
            async for piece in pieces:
                await sink.send(piece)
        await sink.send_eof()


@asynccontextmanager
async def relay(
    target: str, *, up: Alteration = unaltered, down: Alteration = unaltered
) -> AsyncIterator[Relay]:
    """Relay connections to ``target`` for the time of the block.

    Args:
        target: where to (``host:port``), until told otherwise.
        up: what becomes of the bytes of those who connect.
        down: what becomes of the answers.
    """
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener,
        anyio.create_task_group() as tasks,
    ):
        running = Relay(listener, up, down)
        running.lead_to(target)
        tasks.start_soon(running.run)
        yield running
        tasks.cancel_scope.cancel()
