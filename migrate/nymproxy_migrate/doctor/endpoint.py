"""A TCP service to connect to, and why it could not be."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import anyio

from nymproxy_migrate.refused import Refused


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host (name or address, IPv6 without brackets) and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read ``host:port``; an IPv6 address stands in brackets.

        Raises:
            Refused: it is none.
        """
        host, _, port = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        is_port = port.isascii() and port.isdigit() and 0 < int(port) <= 0xFFFF
        if not host or not is_port or (":" in host and not bracketed):
            raise Refused(f"{text}: it is no HOST:PORT (write an IPv6 address as [ADDRESS]:PORT)")
        return cls(host[1:-1] if bracketed else host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def why_unreachable(endpoint: Endpoint) -> str | None:
    """Connect and close again; return None, or why it did not work, without naming the host."""
    try:
        stream = await anyio.connect_tcp(endpoint.host, endpoint.port)
    except OSError as error:
        return reason_of(error)
    await stream.aclose()
    return None


def reason_of(error: BaseException) -> str:
    """Return the system's own words for what kept a connection from being made."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, BaseExceptionGroup):
            seen = seen.exceptions[0]
        elif isinstance(seen, OSError) and seen.errno is not None:
            return _words(seen)
        else:
            seen = seen.__cause__
    return "no connection"


def _words(error: OSError) -> str:
    # The message that asyncio makes names the address; the number of the error does not.
    if isinstance(error, socket.gaierror):
        return (error.strerror or "the name does not resolve").lower()
    return os.strerror(error.errno or 0).lower()
