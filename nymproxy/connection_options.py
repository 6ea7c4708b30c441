"""How a client reaches its directory and its gateway: with TLS or not, through a proxy or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args
from urllib.parse import unquote, urlsplit

from nymproxy._arguments import of_kind
from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

TlsMode: TypeAlias = Literal["always", "prefer", "never"]

TLS_MODES: Final[tuple[TlsMode, ...]] = get_args(TlsMode)
PROXY_SCHEMES: Final = ("http", "socks5")


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """A proxy. Its text names no user and no password.

    Attributes:
        scheme: ``http`` (the CONNECT method) or ``socks5``.
        host: its name or address.
        port: its port.
        username: sent to it, if there is one.
        password: sent to it.
    """

    scheme: str
    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> ProxyUrl:
        """Read ``http://[USER:PASSWORD@]HOST:PORT`` or ``socks5://...``.

        Raises:
            ConfigurationError: it is none; the message does not repeat it.
        """
        of_kind(url, str, "the URL of a proxy, as text,")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or not port or parts.scheme not in PROXY_SCHEMES or parts.path.strip("/"):
            raise ConfigurationError(
                "a proxy is given as http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ "
                "before the host if it asks for them"
            )
        username, password = (
            None if text is None else unquote(text) for text in (parts.username, parts.password)
        )
        return cls(parts.scheme, host, port, username, password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How to connect to the directory and the gateway. Variables of the environment are not asked.

    Attributes:
        tls: towards the gateway, whose websocket names the client's identity key in clear text:
            ``prefer`` TLS where the gateway offers it, and do without where that fails;
            ``always`` use it, and refuse gateways that do not offer it; or ``never``.
        proxy: URL of a proxy that everything goes through, ``http://HOST:PORT`` or
            ``socks5://HOST:PORT``. It is given the names of the hosts, none is looked up here.
        ssl_context: what TLS trusts; by default the authorities that certifi lists.

    Raises:
        ConfigurationError: no such mode, or the URL of the proxy cannot be read.
    """

    tls: TlsMode = "prefer"
    proxy: str | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.tls not in TLS_MODES:
            raise ConfigurationError(
                f"there is no TLS mode {self.tls!r}; choose one of {', '.join(TLS_MODES)}"
            )
        if self.proxy is not None:
            ProxyUrl.parse(self.proxy)


DEFAULT_OPTIONS: Final = ConnectionOptions()
