"""What a gateway's error texts mean for us.

The texts are those of nym-gateway-requests 1.21.6 (src/types/error.rs) and the gateway of the same
version. They are matched only to explain and to choose how to go on, never for security.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NoReturn

from nymproxy.errors import (
    ClientNotRegistered,
    ClockSkew,
    DuplicateConnection,
    GatewayRefused,
)
from nymproxy.mixnet.gateway.handshake import printable


class RefusalKind(enum.Enum):
    """Why a gateway said no."""

    NOT_REGISTERED = enum.auto()
    DUPLICATE = enum.auto()
    REUSED_SECOND = enum.auto()
    """The second of this authentication was used before; the next one will do."""
    CLOCK_SKEW = enum.auto()
    VERSION = enum.auto()
    PAYMENT_REQUIRED = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class _Rule:
    fragment: str
    kind: RefusalKind
    error: type[GatewayRefused]
    advice: str


_RULES = (
    _Rule(
        "client is not registered",
        RefusalKind.NOT_REGISTERED,
        ClientNotRegistered,
        "the gateway does not know this client: register again with the same gateway",
    ),
    _Rule(
        "failed to verify provided address ciphertext",
        RefusalKind.NOT_REGISTERED,
        ClientNotRegistered,
        "the gateway holds another shared key for this client: register again with it",
    ),
    _Rule(
        "already an open connection to this client",
        RefusalKind.DUPLICATE,
        DuplicateConnection,
        "this identity is connected from elsewhere: stop the other process, or use another "
        "storage directory",
    ),
    _Rule(
        "stale authentication",
        RefusalKind.REUSED_SECOND,
        DuplicateConnection,
        "a session of this identity began in the same second: try again in a second",
    ),
    _Rule(
        "smaller or equal to one previously used",
        RefusalKind.REUSED_SECOND,
        GatewayRefused,
        "this identity authenticated in the same second or later before: try again in a second; "
        "if it stays so, this machine's clock was set back or another process uses the identity",
    ),
    _Rule(
        "timestamp is excessively skewed",
        RefusalKind.CLOCK_SKEW,
        ClockSkew,
        "this machine's clock and the gateway's differ by more than two minutes: set the clock",
    ),
    _Rule(
        "incompatible protocol version",
        RefusalKind.VERSION,
        GatewayRefused,
        "the gateway does not speak our protocol version: choose another gateway",
    ),
    _Rule(
        "only accepting coconut credentials",
        RefusalKind.PAYMENT_REQUIRED,
        GatewayRefused,
        "the gateway gives no free bandwidth: choose another gateway",
    ),
)


def explain_refusal(text: str) -> tuple[RefusalKind, GatewayRefused]:
    """Turn a gateway's error text into the error to raise."""
    for rule in _RULES:
        if rule.fragment.casefold() in text.casefold():
            return rule.kind, rule.error(f"{rule.advice} (the gateway said: {printable(text)})")
    return RefusalKind.OTHER, GatewayRefused(f"the gateway refused: {printable(text)}")


class Refusals:
    """Why one gateway has said no.

    Attributes:
        kind: of the last refusal; ``None``: there was none.
    """

    def __init__(self) -> None:
        self.kind: RefusalKind | None = None

    def refuse(self, text: str) -> NoReturn:
        """Take an error text.

        Raises:
            GatewayRefused: always; its subclasses tell why.
        """
        self.kind, error = explain_refusal(text)
        raise error
