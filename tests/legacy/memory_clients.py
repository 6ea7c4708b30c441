"""Mixnet clients over a ``MemoryNetwork``, with a connector that can be slow or fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import anyio

from nymproxy.errors import GatewayUnreachable
from nymproxy.mixnet.machine import ClientStatus
from nymproxy.mixnet.transport import TransportWrapper

if TYPE_CHECKING:
    from types import TracebackType

    from nymproxy.address import NodeIdentity
    from nymproxy.testing import MemoryEndpoint, MemoryNetwork


class MemoryClient(TransportWrapper):
    """A ``ConnectedClient``: an endpoint that is closed with its ``async with``."""

    def __init__(self, endpoint: MemoryEndpoint) -> None:
        super().__init__(endpoint)
        self.endpoint = endpoint
        self.entered = False
        self.closed = False

    @property
    def status(self) -> ClientStatus:
        is_ready = self.entered and not self.closed and self.endpoint.is_connected
        return ClientStatus(1.0 if is_ready else 0.0, is_ready, self.closed, "in memory")

    async def aclose(self) -> None:
        self.closed = True
        await super().aclose()

    async def __aenter__(self) -> Self:
        self.entered = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class MemoryConnector:
    """A ``Connector`` that keeps what it made.

    Args:
        network: where the endpoints are.
        seconds: how long one connection takes.
        failures: so many attempts fail first.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        *,
        seconds: float = 0.0,
        failures: float = 0,
        name: str | None = None,
    ) -> None:
        self.network = network
        self.seconds = seconds
        self.failures = failures
        self.name = name
        self.clients: list[MemoryClient] = []
        self.gateways: list[NodeIdentity | None] = []
        self.attempts: list[float] = []
        self.connecting = 0
        self.most_connecting = 0
        self.cancelled = 0

    async def __call__(self, gateway: NodeIdentity | None = None) -> MemoryClient:
        self.attempts.append(anyio.current_time())
        self.gateways.append(gateway)
        self.connecting += 1
        self.most_connecting = max(self.most_connecting, self.connecting)
        try:
            await anyio.sleep(self.seconds)
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            self.connecting -= 1
        if self.failures > 0:
            self.failures -= 1
            raise GatewayUnreachable("the gateway does not answer")
        client = MemoryClient(self.network.endpoint(self.name))
        self.clients.append(client)
        return client
