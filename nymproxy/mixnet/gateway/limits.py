"""Time limits of the gateway connection, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhaseLimits:
    """How long each phase may take before it fails with PhaseTimeout.

    Attributes:
        connect: name lookup, TCP, TLS and the websocket's opening handshake, for one URL.
        version: the answer to the question for the protocol version.
        handshake: each message of a registration (the gateway itself waits 5 s).
        authenticate: the answer to an authentication, stored messages before it included.
        claim: the answer to a bandwidth claim.
        idle: silence on an established connection after which we ping.
        pong: further silence after which the connection counts as dead.
    """

    connect: float = 10.0
    version: float = 5.0
    handshake: float = 5.0
    authenticate: float = 10.0
    claim: float = 30.0
    idle: float = 30.0
    pong: float = 20.0
