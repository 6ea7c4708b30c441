"""The order of a connection to a gateway."""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """Where a connection stands."""

    NEW = "new"
    ASKING_VERSION = "asking for the protocol version"
    EXCHANGING_KEYS = "exchanging keys"
    AWAITING_CONFIRMATION = "waiting for the gateway to confirm the key"
    AWAITING_REGISTRATION = "waiting for the registration"
    AUTHENTICATING = "authenticating"
    CLAIMING = "claiming bandwidth"
    STREAMING = "streaming"


HANDSHAKE_PHASES = (Phase.EXCHANGING_KEYS, Phase.AWAITING_CONFIRMATION)
