"""The values of the flags that take a word."""

from __future__ import annotations

import enum


class Wire(enum.StrEnum):
    """The protocol between the two proxies; ``auto``: as the server shows."""

    AUTO = "auto"
    LEGACY = "legacy"
    STREAM = "stream"


class IdentityMode(enum.StrEnum):
    """How many mixnet identities the client's connections use."""

    PER_CONNECTION = "per-connection"
    POOL = "pool"
    SHARED = "shared"


class LogLevel(enum.StrEnum):
    """What is logged: this and what is worse."""

    OFF = "off"
    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"


class OnOff(enum.StrEnum):
    """Whether something is done."""

    ON = "on"
    OFF = "off"


class Profile(enum.StrEnum):
    """The traffic profiles of the client stack."""

    DEFAULT = "default"
    FAST = "fast"
    BARE = "bare"


class Tls(enum.StrEnum):
    """When the connection to the gateway uses TLS."""

    ALWAYS = "always"
    PREFER = "prefer"
    NEVER = "never"


class Accept(enum.StrEnum):
    """The protocols that a server accepts."""

    BOTH = "legacy,stream"
    LEGACY = "legacy"
    STREAM = "stream"

    @property
    def protocols(self) -> tuple[str, ...]:
        """The single words."""
        return tuple(self.value.split(","))
