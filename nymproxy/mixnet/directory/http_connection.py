"""HTTP GET over one connection, by h11: the few things that the directory needs.

A general client would do, and takes 2 MiB of memory for good in each process (6 where trio is
installed), for a few requests an hour.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import anyio
import h11

from nymproxy._dial import ProxyFailed, dial, start_tls
from nymproxy._http_head import basic, client_protocol, next_event, response_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from anyio.abc import ByteStream

    from nymproxy.connection_options import ConnectionOptions

_PORTS: Final = {"http": 80, "https": 443}


class ConnectionLost(Exception):
    """It broke, or what came is not HTTP. The message is fit for a log: the system's own words name
    addresses."""


class NoConnection(Exception):
    """It could not be made; the message likewise."""


class HttpConnection:
    """A connection to the host of one URL, for one request at a time. Made by :meth:`open`.

    Args:
        stream: the connection, taken over.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._protocol = client_protocol()

    @classmethod
    async def open(cls, url: str, options: ConnectionOptions, connect_seconds: float) -> Self:
        """Connect to the host of a URL.

        Args:
            url: with ``http`` or ``https``.
            options: how to connect.
            connect_seconds: limit for connecting, and the same again for TLS.

        Raises:
            NoConnection: nobody answers, or not with a certificate that is trusted.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            with anyio.fail_after(connect_seconds):
                stream = await dial(host, parts.port or _PORTS[parts.scheme], options)
            if parts.scheme == "https":
                stream = await _secured(stream, host, options, connect_seconds)
        except ProxyFailed as error:
            raise NoConnection(str(error)) from error
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            raise NoConnection(type(error).__name__) from error
        return cls(stream)

    async def request(self, url: str) -> h11.Response:
        """Ask for a URL of the same host; returns what comes before the body.

        Raises:
            ConnectionLost: before it came.
        """
        with _losses():
            request = h11.Request(method="GET", target=_target(url), headers=_headers(url))
            event = await response_to(request, self._protocol, self._stream)
            if isinstance(event, h11.Response):
                return event
            raise ConnectionLost("many interim responses")

    async def next_chunk(self) -> bytes:
        """Return the next part of the body; nothing at its end.

        Raises:
            ConnectionLost: before its end.
        """
        with _losses():
            event = await next_event(self._protocol, self._stream)
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    def take_again(self) -> bool:
        """Tell, when a body is at its end, whether another request may follow; it may from now on,
        once."""
        protocol = self._protocol
        is_done = protocol.our_state is protocol.their_state is h11.DONE
        if not is_done or protocol.trailing_data != (b"", False):
            return False  # it says that it closes, or has, or speaks out of turn
        protocol.start_next_cycle()
        return True

    async def aclose(self) -> None:
        """Close it, at once. Idempotent."""
        await anyio.aclose_forcefully(self._stream)


async def _secured(
    stream: ByteStream, host: str, options: ConnectionOptions, seconds: float
) -> ByteStream:
    try:
        with anyio.fail_after(seconds):
            return await start_tls(stream, host, options)
    except BaseException:  # also a cancellation: nobody else has the stream to close it
        await anyio.aclose_forcefully(stream)
        raise


@contextmanager
def _losses() -> Iterator[None]:
    try:
        yield
    except (
        h11.ProtocolError,
        OSError,  # of sockets, and of TLS
        anyio.BrokenResourceError,
        anyio.EndOfStream,
    ) as error:
        raise ConnectionLost(type(error).__name__) from error


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def _headers(url: str) -> list[tuple[str, str]]:
    """Return what goes with a request, the URL's user and password included."""
    parts = urlsplit(url)
    headers = [
        ("Host", parts.netloc.rpartition("@")[2]),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip"),
        ("User-Agent", "nymproxy"),
    ]
    if parts.username is not None:
        who = basic(unquote(parts.username), unquote(parts.password or ""))
        headers.append(("Authorization", who))
    return headers
