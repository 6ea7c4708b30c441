"""The TCP connections of a gateway's clients, and what happens to them on the way.

A connection is more than its packets: it can stand still, take what it is given and lose it (as one
behind a router that has forgotten it), and be reset.
"""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream, SocketAttribute

from nymproxy._signal import Signal
from nymproxy.localnet.faults import CLIENT_NAME, FaultAction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER without a time: closing resets the connection, and forgets what was not sent."""


@dataclass(frozen=True, eq=False, slots=True)
class _Disturbance:
    action: FaultAction
    matches: Callable[[str], bool]

    def is_of(self, link: ClientLink) -> bool:
        return self.matches(CLIENT_NAME) or self.matches(link.client)


class ClientLinks:
    """All connections of one gateway's clients, admitted or not."""

    def __init__(self) -> None:
        self._links: set[ClientLink] = set()
        self._active: list[_Disturbance] = []
        self._one_ended = Signal()

    @contextmanager
    def link(self, stream: ByteStream) -> Iterator[ClientLink]:
        """Give a connection as it is to be used; the block ends early when it is cut."""
        link = ClientLink(stream, self)
        self._links.add(link)
        try:
            with link.scope:
                yield link
        finally:
            self._links.discard(link)

    def cut(self, matches: Callable[[str], bool]) -> int:
        """Reset the connections whose client's name or identity matches; returns how many."""
        return self._cut(_Disturbance(FaultAction.DISCONNECT, matches))

    async def disturb(
        self, action: FaultAction, matches: Callable[[str], bool], seconds: float
    ) -> None:
        """Stall connections for a time, or swallow what they carry and cut them in the end."""
        disturbance = _Disturbance(action, matches)
        self._active.append(disturbance)
        try:
            await anyio.sleep(seconds)
            if action is FaultAction.SWALLOW:
                self._cut(disturbance)
        finally:
            self._active.remove(disturbance)
            self._one_ended.set()

    async def passes(self, link: ClientLink) -> bool:
        """Wait while a connection stands still; ``False``: it loses what it carries."""
        while own := [item.action for item in self._active if item.is_of(link)]:
            if FaultAction.SWALLOW in own:
                return False
            await self._one_ended.wait()
        return True

    def _cut(self, disturbance: _Disturbance) -> int:
        links = [link for link in self._links if disturbance.is_of(link)]
        for link in links:
            link.reset()
        return len(links)


class ClientLink(ByteStream):
    """One connection.

    Attributes:
        client: the identity of the client (base58), empty until it is admitted.
        scope: cancelled when the connection is cut.
    """

    def __init__(self, stream: ByteStream, links: ClientLinks) -> None:
        self.client = ""
        self.scope = anyio.CancelScope()
        self._stream = stream
        self._links = links

    async def receive(self, max_bytes: int = 65536) -> bytes:
        while True:
            data, ended = b"", None
            try:
                data = await self._stream.receive(max_bytes)
            except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
                ended = error
            if not await self._links.passes(self):
                if ended is not None:
                    await anyio.sleep_forever()  # The end is lost, too: until the cut.
                continue
            if ended is not None:
                raise ended
            return data

    async def send(self, item: bytes) -> None:
        if await self._links.passes(self):
            await self._stream.send(item)
        else:
            await anyio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def reset(self) -> None:
        """End the connection as a router does that knows nothing of it."""
        with suppress(anyio.TypedAttributeLookupError, OSError):
            raw = self._stream.extra(SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.scope.cancel()
