"""An old proxy server, modelled: one loop, one watch channel for all sessions, no Close.

From nym-sdk 1.21.6 src/tcp_proxy/tcp_proxy_server.rs. Its upstream is a stub in memory.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import ChannelFormatError
from nymproxy.legacy.message import Data, ProxiedMessage
from tests.legacy.old_peers import TICK_MS, OldMessageBuffer

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from nymproxy.address import SenderTag
    from nymproxy.testing import MemoryEndpoint

READ_BYTES = 8192


class Upstream:
    """The TCP service of one session: records what is written, and says what it is told to."""

    def __init__(self) -> None:
        self.opened_at = anyio.current_time()
        self.writes: list[tuple[float, bytes]] = []
        self.eof_at: float | None = None
        self._to_say: deque[bytes | None] = deque()
        self._said = anyio.Event()

    @property
    def received(self) -> bytes:
        return b"".join(data for _, data in self.writes)

    def write(self, data: bytes) -> None:
        self.writes.append((anyio.current_time(), data))

    def shut_down(self) -> None:
        self.eof_at = anyio.current_time()

    def say(self, data: bytes) -> None:
        self._to_say.append(data)
        self._said.set()

    def close(self) -> None:
        self._to_say.append(None)
        self._said.set()

    async def read(self) -> bytes | None:
        """What it says next; ``None`` at its end."""
        while not self._to_say:
            self._said = anyio.Event()
            await self._said.wait()
        return self._to_say.popleft()


@dataclass
class Watch:
    """``tokio::sync::watch``: whoever looks sees the newest value only."""

    version: int = 0
    value: tuple[ProxiedMessage, SenderTag] | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)

    def publish(self, value: tuple[ProxiedMessage, SenderTag]) -> None:
        self.version += 1
        self.value = value
        self.changed.set()
        self.changed = anyio.Event()


class OldServer:
    """Run :meth:`run`; the upstream stubs are in :attr:`upstreams`, one for each session id.

    Args:
        endpoint: where messages arrive.
        connect_seconds: how long connecting to the upstream takes.
        connects: whether the upstream can be reached.
        greet: called with each new upstream.
    """

    def __init__(
        self,
        endpoint: MemoryEndpoint,
        *,
        connect_seconds: float = 0.01,
        connects: bool = True,
        greet: Callable[[Upstream], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.upstreams: dict[uuid.UUID, Upstream] = {}
        self.arrivals: list[tuple[float, ProxiedMessage]] = []
        self._connect_seconds = connect_seconds
        self._connects = connects
        self._greet = greet
        self._session_ids: set[uuid.UUID] = set()
        self._watch = Watch()

    @property
    def upstream(self) -> Upstream:
        """The upstream of the only session."""
        (upstream,) = self.upstreams.values()
        return upstream

    async def run(self) -> None:
        async with anyio.create_task_group() as handlers:
            async for received in self.endpoint.receive():
                try:
                    message = ProxiedMessage.decode(received.payload)
                except ChannelFormatError:
                    continue
                self.arrivals.append((anyio.current_time(), message))
                if message.session_id not in self._session_ids:
                    self._session_ids.add(message.session_id)
                    handlers.start_soon(self._handle, message.session_id, self._watch.version)
                if received.sender_tag is not None:
                    self._watch.publish((message, received.sender_tag))

    async def _handle(self, session_id: uuid.UUID, seen: int) -> None:
        await anyio.sleep(self._connect_seconds)
        if not self._connects:
            return
        upstream = self.upstreams[session_id] = Upstream()
        if self._greet is not None:
            self._greet(upstream)
        async with anyio.create_task_group() as tasks:
            tags: list[SenderTag] = []
            tasks.start_soon(self._upstream_to_client, session_id, upstream, tags)
            await self._client_to_upstream(session_id, upstream, tags, seen)
            upstream.shut_down()

    async def _client_to_upstream(
        self, session_id: uuid.UUID, upstream: Upstream, tags: list[SenderTag], seen: int
    ) -> None:
        buffer = OldMessageBuffer()
        while True:
            changed = self._watch.changed
            if self._watch.version == seen:
                with anyio.move_on_after(TICK_MS / 1000):
                    await changed.wait()
            is_arrival = self._watch.version != seen
            now_ms = anyio.current_time() * 1000
            if is_arrival:
                seen = self._watch.version
                assert self._watch.value is not None
                message, tag = self._watch.value
                if message.session_id != session_id:
                    continue  # not even a tick
                data = message.message.data if isinstance(message.message, Data) else None
                buffer.push(message.message_id, data, now_ms)
                tags[:] = [tag]
            written, closed = buffer.tick(now_ms)
            for data in written:
                if data:
                    upstream.write(data)
            if closed and is_arrival:
                return

    async def _upstream_to_client(
        self, session_id: uuid.UUID, upstream: Upstream, tags: list[SenderTag]
    ) -> None:
        message_id = 0
        while (said := await upstream.read()) is not None:
            for start in range(0, len(said), READ_BYTES):
                chunk = Data(said[start : start + READ_BYTES])
                if tags:
                    message = ProxiedMessage(chunk, session_id, message_id)
                    await self.endpoint.send(tags[0], message.encode())
                message_id += 1  # used up even when there was nobody to send it to
