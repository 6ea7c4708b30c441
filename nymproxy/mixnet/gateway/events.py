"""What the client's side of a gateway connection reports to the code that drives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from nymproxy.mixnet.gateway.encrypted_texts import SensitiveResponse
    from nymproxy.mixnet.gateway.keys import SharedKey


@dataclass(frozen=True, slots=True)
class Pushed:
    """A message or an ack that arrived for us, opened."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Registered:
    """The gateway has stored a new shared key. Keep it, or the next start has to register."""

    shared_key: SharedKey
    unix_second: int
    """No authentication may carry this second or an earlier one."""


@dataclass(frozen=True, slots=True)
class Authenticating:
    """A request with this second is about to be sent: no later one may carry it again."""

    unix_second: int


@dataclass(frozen=True, slots=True)
class Streaming:
    """Packets may be sent from now on."""


@dataclass(frozen=True, slots=True)
class BandwidthChanged:
    """The gateway reported what is left."""

    available: int


@dataclass(frozen=True, slots=True)
class SensitiveAnswer:
    """The answer to an encrypted request."""

    response: SensitiveResponse


GatewayEvent: TypeAlias = (
    Pushed | Registered | Authenticating | Streaming | BandwidthChanged | SensitiveAnswer
)
