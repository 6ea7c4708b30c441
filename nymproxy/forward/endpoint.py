"""TCP endpoints in their text form."""

from __future__ import annotations

from dataclasses import dataclass

from nymproxy.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """A host (name or address, IPv6 without brackets) and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> TcpEndpoint:
        """Read ``host:port``; an IPv6 address stands in brackets.

        Raises:
            ConfigurationError: no host, no port, or a port that is none.
        """
        host, separator, port = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not separator or not host or (":" in host and not bracketed):
            raise ConfigurationError(
                f"{text!r} is no host:port (write an IPv6 address as [address]:port)"
            )
        return cls(host[1:-1] if bracketed else host, parse_port(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_port(port: int | str) -> int:
    """Read a TCP port given as number or as text.

    Raises:
        ConfigurationError: not a whole number from 0 to 65535.
    """
    text = str(port)
    if not (text.isascii() and text.isdigit() and int(text) <= 0xFFFF):
        raise ConfigurationError(f"{text!r} is no TCP port (0 to 65535)")
    return int(text)
