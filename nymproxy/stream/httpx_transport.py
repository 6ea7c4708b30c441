"""HTTP over streams: a transport for ``httpx.AsyncClient``, on either backend.

::

    transport = StreamHTTPTransport(client, server_address)
    async with httpx.AsyncClient(transport=transport) as http:
        response = await http.get("http://service/path")

Nothing else of nymproxy imports this module, which imports httpx.
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpcore
import httpx
from anyio.streams.tls import TLSAttribute, TLSStream

from nymproxy.errors import NymError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from anyio.abc import ByteStream

    from nymproxy.address import NymAddress
    from nymproxy.stream.background import StreamClient
    from nymproxy.stream.stream import MixnetStream


class StreamHTTPTransport(httpx.AsyncBaseTransport):
    """Sends every request to one Nym address, whatever host its URL names.

    What listens there must pass the stream's bytes on to the HTTP service. The host of the URL
    goes into the ``Host`` header and, for ``https``, is the name that the certificate must carry.

    Args:
        client: opens the streams.
        address: where to.
        ssl_context: for ``https``; ``None`` for httpx's default.
        max_connections: streams at once; further requests wait.
        keepalive_seconds: how long an idle stream is kept for the next request.
    """

    def __init__(
        self,
        client: StreamClient,
        address: NymAddress,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 10,
        keepalive_seconds: float = 60.0,
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context() if ssl_context is None else ssl_context,
            max_connections=max_connections,
            keepalive_expiry=keepalive_seconds,
            network_backend=_StreamBackend(client, address),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        with _httpx_errors(None):
            await self._pool.__aexit__(exc_type, exc_value, traceback)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request; called by httpx.

        Raises:
            httpx.TransportError: the stream could not be opened, failed, or took too long.
        """
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors(request):
            response = await self._pool.handle_async_request(inner)
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_ResponseBody(response, request),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close all streams."""
        await self._pool.aclose()


class _ResponseBody(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors(self._request):
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _httpx_errors(request: httpx.Request | None) -> Iterator[None]:
    """Turn httpcore's exceptions into httpx's, which have the same names."""
    try:
        yield
    except (
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind: type[httpx.TransportError] = getattr(
            httpx, type(error).__name__, httpx.TransportError
        )
        raise kind(str(error), request=request) from error


@contextmanager
def _httpcore_errors(
    failure: type[Exception], timeout: type[Exception], doing: str
) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise timeout(f"timed out {doing}") from error
    except (NymError, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError) as error:
        raise failure(str(error.__cause__ or error) or f"the stream was closed {doing}") from error


class _StreamBackend(httpcore.AsyncNetworkBackend):
    """Opens streams where httpcore would open sockets."""

    def __init__(self, client: StreamClient, address: NymAddress) -> None:
        self._client = client
        self._address = address

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
            return _HTTPStream(await self._client.open_stream(self._address))

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("a mixnet stream leads to no local socket")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _HTTPStream(httpcore.AsyncNetworkStream):
    """One connection: the stream itself, or TLS on it."""

    def __init__(self, bottom: MixnetStream, wrapped: ByteStream | None = None) -> None:
        self._bottom = bottom
        self._stream = bottom if wrapped is None else wrapped

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
            wrapped = await TLSStream.wrap(
                self._stream,
                ssl_context=ssl_context,
                hostname=server_hostname,
                standard_compatible=False,
                server_side=False,
            )
        return _HTTPStream(self._bottom, wrapped)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        if info == "ssl_object":
            return self._stream.extra(TLSAttribute.ssl_object, None)
        if info == "is_readable":
            # Asked of idle connections: one that has ended must not serve the next request.
            return self._bottom.is_at_end or self._bottom.error is not None
        return None
