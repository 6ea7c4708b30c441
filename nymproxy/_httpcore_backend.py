"""HTTP over any byte stream: what httpcore opens where it would open a socket itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import httpcore
from anyio.streams.tls import TLSAttribute, TLSStream

from nymproxy.errors import NymError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from anyio.abc import ByteStream

Connect: TypeAlias = "Callable[[str, int], Awaitable[ByteStream]]"


class ByteStreamBackend(httpcore.AsyncNetworkBackend):
    """Opens byte streams for an ``httpcore.AsyncConnectionPool``.

    Args:
        connect: opens a stream to a host and a port.
        has_ended: tells of an idle stream whether it cannot serve another request.
    """

    def __init__(
        self, connect: Connect, *, has_ended: Callable[[ByteStream], bool] = lambda _: False
    ) -> None:
        self._connect = connect
        self._has_ended = has_ended

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with (
            _httpcore_errors(httpcore.ConnectError, httpcore.ConnectTimeout, "opening a stream"),
            anyio.fail_after(timeout),
        ):
            stream = await self._connect(host, port)
        return _HTTPStream(stream, lambda: self._has_ended(stream))

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("a byte stream leads to no local socket")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _HTTPStream(httpcore.AsyncNetworkStream):
    """One connection: the stream itself, or TLS on it."""

    def __init__(self, stream: ByteStream, has_ended: Callable[[], bool]) -> None:
        self._stream = stream
        self._has_ended = has_ended

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with (
            _httpcore_errors(httpcore.ReadError, httpcore.ReadTimeout, "reading"),
            anyio.fail_after(timeout),
        ):
            try:
                return await self._stream.receive(max_bytes)
            except anyio.EndOfStream:
                return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with (
            _httpcore_errors(httpcore.WriteError, httpcore.WriteTimeout, "writing"),
            anyio.fail_after(timeout),
        ):
            await self._stream.send(buffer)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with (
            _httpcore_errors(httpcore.ConnectError, httpcore.ConnectTimeout, "starting TLS"),
            anyio.fail_after(timeout),
        ):
            try:
                wrapped = await TLSStream.wrap(
                    self._stream,
                    ssl_context=ssl_context,
                    hostname=server_hostname,
                    standard_compatible=False,
                    server_side=False,
                )
            except BaseException:  # also a cancellation: nobody else has the stream to close it
                await anyio.aclose_forcefully(self._stream)
                raise
        return _HTTPStream(wrapped, self._has_ended)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        if info == "ssl_object":
            return self._stream.extra(TLSAttribute.ssl_object, None)
        if info == "is_readable":
            # Asked of idle connections: one that has ended must not serve the next request.
            return self._has_ended()
        return None


@contextmanager
def _httpcore_errors(
    failure: type[Exception], timeout: type[Exception], doing: str
) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise timeout(f"timed out {doing}") from error
    except (
        NymError,
        OSError,  # of sockets, and of TLS
        anyio.BrokenResourceError,
        anyio.ClosedResourceError,
        anyio.EndOfStream,
    ) as error:
        raise failure(str(error.__cause__ or error) or f"the stream was closed {doing}") from error
