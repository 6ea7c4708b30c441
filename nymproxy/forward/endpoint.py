"""Where to listen and where to connect, in text: TCP, Unix sockets, inherited sockets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from nymproxy._arguments import of_kind
from nymproxy.errors import ConfigurationError

_UNIX = "unix:"
_INHERITED = "fd:"


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
        _check_text(text)
        host, separator, port = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not separator or not host or (":" in host and not bracketed):
            raise ConfigurationError(
                f"{text!r} is no host:port (write an IPv6 address as [address]:port)"
            )
        return cls(host[1:-1] if bracketed else host, parse_port(port))

    @classmethod
    def at(cls, host: str, port: int | str) -> TcpEndpoint:
        """Return the endpoint of a host, an IPv6 address with or without brackets, and a port.

        Raises:
            ConfigurationError: no text, or a port that is none.
        """
        return cls(of_kind(host, str, "a host name or address").strip("[]"), parse_port(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """A Unix socket, by its path."""

    path: str

    def __str__(self) -> str:
        return _UNIX + self.path


@dataclass(frozen=True, slots=True)
class InheritedEndpoint:
    """A listening socket that the service manager opened, by its name (``FileDescriptorName=``)."""

    name: str

    def __str__(self) -> str:
        return _INHERITED + self.name


Endpoint: TypeAlias = TcpEndpoint | UnixEndpoint
ListenEndpoint: TypeAlias = TcpEndpoint | UnixEndpoint | InheritedEndpoint


def parse_endpoint(text: str) -> Endpoint:
    """Read where to connect: ``host:port`` or ``unix:PATH``.

    Raises:
        ConfigurationError: it is neither.
    """
    _check_text(text)
    if text.startswith(_UNIX) and text != _UNIX:
        return UnixEndpoint(text.removeprefix(_UNIX))
    return TcpEndpoint.parse(text)


def parse_listen(text: str) -> ListenEndpoint:
    """Read where to listen: ``host:port``, ``unix:PATH`` or ``fd:NAME``.

    Raises:
        ConfigurationError: it is none of these.
    """
    _check_text(text)
    if text.startswith(_INHERITED) and text != _INHERITED:
        return InheritedEndpoint(text.removeprefix(_INHERITED))
    try:
        return parse_endpoint(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}, nor unix:PATH or fd:NAME") from error


def _check_text(value: object) -> None:
    of_kind(value, str, "host:port, as text,")


def parse_port(port: int | str) -> int:
    """Read a TCP port given as number or as text.

    Raises:
        ConfigurationError: not a whole number from 0 to 65535.
    """
    text = str(port)
    if not (text.isascii() and text.isdigit() and int(text) <= 0xFFFF):
        raise ConfigurationError(f"{text!r} is no TCP port (0 to 65535)")
    return int(text)
