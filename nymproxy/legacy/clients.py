"""What the proxies need of a mixnet client, and how they get one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import anyio

from nymproxy.channel import ChannelMux
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.transport import MessageTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType
    from typing import Self

    from nymproxy.address import NodeIdentity
    from nymproxy.channel import ChannelProtocol
    from nymproxy.mixnet.randomness import RandomBytes

FLUSH_SECONDS = 10.0
"""How long a proxy that stops may take to flush what it has accepted."""


class ProxyClient(MessageTransport, Protocol):
    """A connected client. It works, reconnecting by itself, while its ``async with`` lasts."""

    @property
    def is_connected(self) -> bool:
        """Whether its gateway connection stands now."""
        ...

    async def __aenter__(self) -> Self:
        """Start working."""
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Disconnect."""
        ...


class ClientFactory(Protocol):
    """Connects a new client, through the given gateway or one of its own choice.

    Raises:
        NymError: no directory, no gateway, or refused.
    """

    async def __call__(self, gateway: NodeIdentity | None = None) -> ProxyClient:
        """Connect; the caller enters the client, or closes it."""
        ...


@asynccontextmanager
async def running_mux(
    transport: MessageTransport,
    protocols: Sequence[ChannelProtocol],
    *,
    random_bytes: RandomBytes = system_random_bytes,
    flush_seconds: float = FLUSH_SECONDS,
) -> AsyncIterator[ChannelMux]:
    """Run the channels of a transport; leaving flushes them, in vain if the transport has ended."""
    mux = ChannelMux(transport, protocols, random_bytes=random_bytes)
    async with anyio.create_task_group() as tasks:
        await tasks.start(mux.run)
        try:
            yield mux
        finally:
            with anyio.CancelScope(shield=True):
                await mux.aclose(flush_seconds)
            tasks.cancel_scope.cancel()
