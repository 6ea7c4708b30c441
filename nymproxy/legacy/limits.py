"""How much the proxies carry at once. The defaults are for a machine of 1 GB."""

from __future__ import annotations

from dataclasses import dataclass

from nymproxy._arguments import check_number
from nymproxy.errors import ConfigurationError

MAX_CONNECTIONS = 256
"""TCP connections of a proxy client's apps. Each may cost an identity, of half a megabyte."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How many sessions a server carries.

    Attributes:
        sessions: in all.
        sessions_per_client: of one sender tag.
        half_open_seconds: a session that is still half-open then is ended.
        connects_per_second: new upstream connections; what is above it waits.
        protected_seconds: a half-open session is not given up for another one before.
        idle_seconds: nor is another session on which something went either way since.

    Raises:
        ConfigurationError: a value that cannot work.
    """

    sessions: int = 1024
    sessions_per_client: int = 256
    half_open_seconds: float = 30.0
    connects_per_second: float = 100.0
    protected_seconds: float = 5.0
    idle_seconds: float = 60.0

    def __post_init__(self) -> None:
        check_number(self.sessions, "the session limit", least=1, whole=True)
        check_number(self.sessions_per_client, "the session limit of a client", least=1, whole=True)
        check_number(self.connects_per_second, "the rate of upstream connections")
        if not self.connects_per_second:
            raise ConfigurationError("a server connects to its upstream at a rate above 0")


DEFAULT_LIMITS = SessionLimits()
