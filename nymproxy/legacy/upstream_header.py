"""The dialect of nym-rpc: a session's first data names the upstream that it wants.

``UPSTREAM:<host>:<port>\\n`` before anything else; the server strips the line and connects there.
Ours does so only for hosts and ports on an allow list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from nymproxy._arguments import list_of
from nymproxy.errors import ConfigurationError, ResetCode, StreamRefused
from nymproxy.forward.endpoint import TcpEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.errors import NymError
    from nymproxy.forward.endpoint import Endpoint
    from nymproxy.forward.forwarder import ByteChannel

PREFIX = b"UPSTREAM:"
MAX_LINE_BYTES = 512
HEADER_SECONDS = 30.0
"""How long a session may take to send its first data."""


def make_header(upstream: str) -> bytes:
    """Return the line that asks for an upstream.

    Raises:
        ConfigurationError: not ``host:port``.
    """
    return PREFIX + str(TcpEndpoint.parse(upstream)).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class AllowList:
    """Upstreams that sessions may ask for: exact hosts and ports, ``host:*`` for any port."""

    entries: frozenset[tuple[str, int | None]]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> AllowList:
        """Read entries of the form ``host:port`` or ``host:*``.

        Raises:
            ConfigurationError: an entry is neither.
        """
        entries: set[tuple[str, int | None]] = set()
        for text in list_of(texts, "host:port"):
            any_port = text.endswith(":*")
            endpoint = TcpEndpoint.parse(f"{text[:-2]}:0" if any_port else text)
            entries.add((endpoint.host.lower(), None if any_port else endpoint.port))
        return cls(frozenset(entries))

    def allows(self, endpoint: TcpEndpoint) -> bool:
        """Tell whether an upstream is on the list."""
        host = endpoint.host.lower()
        return (host, endpoint.port) in self.entries or (host, None) in self.entries


class UnreadChannel:
    """A channel of which some bytes were read already; they come first."""

    def __init__(self, channel: ByteChannel, unread: bytes) -> None:
        self._channel = channel
        self._unread = unread

    async def send(self, data: bytes) -> None:
        """See :class:`~nymproxy.forward.ByteChannel`."""
        await self._channel.send(data)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """See :class:`~nymproxy.forward.ByteChannel`."""
        if not self._unread:
            return await self._channel.receive(max_bytes)
        data, self._unread = self._unread[:max_bytes], self._unread[max_bytes:]
        return data

    async def send_eof(self) -> None:
        """See :class:`~nymproxy.forward.ByteChannel`."""
        await self._channel.send_eof()

    async def drain(self) -> None:
        """See :class:`~nymproxy.forward.ByteChannel`."""
        await self._channel.drain()

    async def aclose(self) -> None:
        """See :class:`~nymproxy.forward.ByteChannel`."""
        await self._channel.aclose()

    @property
    def error(self) -> NymError | None:
        """See :class:`~nymproxy.forward.ByteChannel`."""
        return self._channel.error

    async def wait_closed(self) -> None:
        """See :class:`~nymproxy.forward.ByteChannel`."""
        await self._channel.wait_closed()

    def abort(self, code: ResetCode = ResetCode.CANCELLED, reason: str = "") -> None:
        """See :class:`~nymproxy.forward.ByteChannel`."""
        self._channel.abort(code, reason)


async def read_header(
    channel: ByteChannel, default: Endpoint, allowed: AllowList
) -> tuple[Endpoint, UnreadChannel]:
    """Read the first data of a session; return where it goes, and the channel behind the header.

    Without a header the session goes to the default upstream, nothing lost.

    Raises:
        StreamRefused: malformed, or not on the list.
        anyio.BrokenResourceError: the channel failed first.
    """
    read = b""
    with anyio.move_on_after(HEADER_SECONDS):
        while _may_be_header(read):
            try:
                read += await channel.receive(MAX_LINE_BYTES)
            except anyio.EndOfStream:
                break
    if not read.startswith(PREFIX):
        return default, UnreadChannel(channel, read)
    line, separator, rest = read.partition(b"\n")
    if not separator or len(line) >= MAX_LINE_BYTES:
        raise StreamRefused("the session's upstream header does not end")
    try:
        endpoint = TcpEndpoint.parse(line[len(PREFIX) :].decode("ascii"))
    except (ConfigurationError, UnicodeDecodeError) as error:
        raise StreamRefused("the session's upstream header names no host and port") from error
    if not allowed.allows(endpoint):
        raise StreamRefused("the session asked for an upstream that is not on the allow list")
    return endpoint, UnreadChannel(channel, rest)


def _may_be_header(read: bytes) -> bool:
    """Whether more bytes are needed to tell, or to complete the line."""
    if len(read) < len(PREFIX):
        return PREFIX.startswith(read)
    return read.startswith(PREFIX) and b"\n" not in read and len(read) < MAX_LINE_BYTES
