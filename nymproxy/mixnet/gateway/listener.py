"""Where a gateway listens for its clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.address import NodeIdentity


@dataclass(frozen=True, slots=True)
class GatewayListener:
    """Where a gateway listens for clients.

    Attributes:
        identity: its Ed25519 key, from the directory or from configuration.
        url: ``ws://host:port`` or ``wss://host:port``.
        fallback_url: tried when ``url`` does not answer.
    """

    identity: NodeIdentity
    url: str
    fallback_url: str | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """Both URLs, in the order to try them."""
        return (self.url,) if self.fallback_url is None else (self.url, self.fallback_url)
