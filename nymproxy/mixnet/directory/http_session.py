"""HTTP GET with limits on time and size. The only module that imports httpx, when first used."""

from __future__ import annotations

import functools
import importlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from nymproxy.errors import DirectoryFormatError, DirectoryUnavailable

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    import httpx

# A directory on this machine is never asked through a proxy from the environment.
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")


class HttpSession:
    """A few requests to the directory; see :func:`http_session`."""

    def __init__(
        self, client: httpx.AsyncClient, *, timeout_seconds: float, max_body_bytes: int
    ) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds
        self._max_body_bytes = max_body_bytes

    async def get(self, url: str) -> bytes:
        """Return the decompressed body of a successful answer.

        A lost connection is tried once more; an error status or a timeout is not.

        Raises:
            DirectoryUnavailable: no answer in time, or another status than 2xx.
            DirectoryFormatError: the body is too large, empty, damaged or not JSON by its type.
        """
        import httpx

        try:
            return await self._get_once(url)
        except httpx.TransportError:
            pass
        try:
            return await self._get_once(url)
        except httpx.TransportError as error:
            raise DirectoryUnavailable(f"no connection ({type(error).__name__})") from error

    async def _get_once(self, url: str) -> bytes:
        import httpx

        try:
            with anyio.fail_after(self._timeout_seconds):
                async with self._client.stream("GET", url) as response:
                    return await self._read(response)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise DirectoryUnavailable(
                f"no complete answer within {self._timeout_seconds:g} seconds"
            ) from error
        except httpx.DecodingError as error:
            raise DirectoryFormatError("an answer whose compression is damaged") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise DirectoryUnavailable(f"no usable URL ({error})") from error

    async def _read(self, response: httpx.Response) -> bytes:
        if not response.is_success:
            raise DirectoryUnavailable(f"the answer was HTTP {response.status_code}")
        kind = response.headers.get("content-type", "")
        if kind.startswith("application/bincode"):
            raise DirectoryFormatError("an answer in bincode, although JSON was asked for")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._max_body_bytes:
                raise DirectoryFormatError(f"an answer of more than {self._max_body_bytes} bytes")
        if not body:
            raise DirectoryFormatError("an empty answer")
        return bytes(body)


@asynccontextmanager
async def http_session(
    *, timeout_seconds: float, max_body_bytes: int
) -> AsyncIterator[HttpSession]:
    """Open a session for the requests of one fetch; its connections close with it.

    Args:
        timeout_seconds: limit for each request as a whole.
        max_body_bytes: limit for each body, decompressed.
    """
    context = await anyio.to_thread.run_sync(_ssl_context)  # imports httpx: 0.3 s the first time
    import httpx

    async with httpx.AsyncClient(
        verify=context,
        headers={"Accept": "application/json", "User-Agent": "nymproxy"},
        timeout=timeout_seconds,
        follow_redirects=False,
        mounts=dict.fromkeys(_LOOPBACK),
    ) as client:
        yield HttpSession(client, timeout_seconds=timeout_seconds, max_body_bytes=max_body_bytes)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    context: ssl.SSLContext = importlib.import_module("httpx").create_ssl_context()
    return context
