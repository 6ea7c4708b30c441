"""HTTP over streams: a transport for ``httpx.AsyncClient``, on either backend.

::

    transport = StreamHTTPTransport(client, server_address)
    async with httpx.AsyncClient(transport=transport) as http:
        response = await http.get("http://service/path")

Nothing else of nymproxy imports this module, which imports httpx.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpcore
import httpx

from nymproxy._httpcore_backend import ByteStreamBackend
from nymproxy.address import NymAddress
from nymproxy.stream.stream import MixnetStream

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType
    from typing import Self

    from anyio.abc import ByteStream

    from nymproxy.stream.background import StreamClient

__all__ = ("StreamHTTPTransport",)


class StreamHTTPTransport(httpx.AsyncBaseTransport):
    """Sends every request to one Nym address, whatever host its URL names.

    What listens there must pass the stream's bytes on to the HTTP service. The host of the URL
    goes into the ``Host`` header and, for ``https``, is the name that the certificate must carry.

    Args:
        client: opens the streams.
        address: where to, as an address or its text.
        ssl_context: for ``https``; ``None`` for httpx's default.
        max_connections: streams at once; further requests wait.
        keepalive_seconds: how long an idle stream is kept for the next request.
    """

    def __init__(
        self,
        client: StreamClient,
        address: NymAddress | str,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 10,
        keepalive_seconds: float = 60.0,
    ) -> None:
        to = NymAddress.of(address)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context() if ssl_context is None else ssl_context,
            max_connections=max_connections,
            keepalive_expiry=keepalive_seconds,
            network_backend=ByteStreamBackend(
                lambda _host, _port: client.open_stream(to), has_ended=_has_ended
            ),
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


def _has_ended(stream: ByteStream) -> bool:
    assert isinstance(stream, MixnetStream)
    return stream.is_at_end or stream.error is not None
