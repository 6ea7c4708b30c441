"""An old proxy client, modelled: ids from 1, 100 SURBs with everything, no ear for Close.

From nym-sdk 1.21.6 src/tcp_proxy/tcp_proxy_client.rs. Its app is a stub in memory.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

from nymproxy.legacy.message import Close, Data, ProxiedMessage
from nymproxy.legacy.session_id import make_session_id
from tests.legacy.old_peers import TICK_MS, OldMessageBuffer

if TYPE_CHECKING:
    import uuid

    from nymproxy.address import NymAddress
    from nymproxy.testing import MemoryEndpoint

SURBS = 100


class OldClientSession:
    """One connection of an app through an old client.

    Args:
        endpoint: the session's own mixnet client.
        server: the proxy server.
        close_timeout: seconds without a message after the app's end.
        seed: 16 bytes for the session id.
    """

    def __init__(
        self,
        endpoint: MemoryEndpoint,
        server: NymAddress,
        *,
        close_timeout: float = 60.0,
        seed: bytes = b"old client sess.",
    ) -> None:
        self.session_id: uuid.UUID = make_session_id(lambda count: seed[:count], 4)
        self.to_app: list[tuple[float, bytes]] = []
        self.app_eof_at: float | None = None
        self.arrivals: list[ProxiedMessage] = []
        self._endpoint = endpoint
        self._server = server
        self._close_timeout = close_timeout
        self._message_id = 0
        self._app_has_ended = anyio.Event()

    @property
    def received(self) -> bytes:
        """What the app got."""
        return b"".join(data for _, data in self.to_app)

    async def app_writes(self, data: bytes) -> None:
        """One chunk that was read from the app's socket."""
        await self._send(Data(data))

    async def app_ends(self) -> None:
        """The app's half-close."""
        await self._send(Close())
        self._app_has_ended.set()

    async def _send(self, message: Data | Close) -> None:
        self._message_id += 1
        encoded = ProxiedMessage(message, self.session_id, self._message_id).encode()
        await self._endpoint.send(self._server, encoded, surbs=SURBS)

    async def run(self) -> None:
        """Receive until ``close_timeout`` after the app's end; then the app sees the end."""
        buffer = OldMessageBuffer()
        inbox: deque[bytes] = deque()
        arrived = anyio.Event()

        async def pump() -> None:
            async for received in self._endpoint.receive():
                inbox.append(received.payload)
                arrived.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pump)
            while True:
                in_phase_2 = self._app_has_ended.is_set()
                if not inbox:
                    arrived = anyio.Event()
                    with anyio.move_on_after(self._close_timeout if in_phase_2 else TICK_MS / 1000):
                        await arrived.wait()
                now = anyio.current_time()
                if inbox:
                    message = ProxiedMessage.decode(inbox.popleft())
                    self.arrivals.append(message)
                    data = message.message.data if isinstance(message.message, Data) else None
                    buffer.push(message.message_id, data, now * 1000)
                elif in_phase_2:
                    break
                written, _ = buffer.tick(now * 1000)  # a Close changes nothing here
                self.to_app += [(now, data) for data in written if data]
            tasks.cancel_scope.cancel()
        self.app_eof_at = anyio.current_time()
        await self._endpoint.aclose()
