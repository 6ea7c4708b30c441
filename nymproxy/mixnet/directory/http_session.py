"""HTTP GET with limits on time and size. The only module that imports httpx, when first used."""

from __future__ import annotations

import functools
import importlib
import logging
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from nymproxy.errors import DirectoryFormatError, DirectoryUnavailable

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    import httpx

_logger = logging.getLogger("nymproxy.mixnet.directory")

_GZIP_FORMAT = 16 + zlib.MAX_WBITS

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
        except httpx.TransportError as error:
            _logger.debug("asking once more after a lost connection: %s", type(error).__name__)
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
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise DirectoryUnavailable(f"no usable URL ({error})") from error

    async def _read(self, response: httpx.Response) -> bytes:
        import httpx

        if not response.is_success:
            raise DirectoryUnavailable(f"the answer was HTTP {response.status_code}")
        kind = response.headers.get("content-type", "")
        if kind.startswith("application/bincode"):
            raise DirectoryFormatError("an answer in bincode, although JSON was asked for")
        body = BoundedBody(response.headers.get("content-encoding", ""), self._max_body_bytes)
        problem: DirectoryFormatError | None = None
        try:
            async for chunk in response.aiter_raw():
                if problem is None:
                    problem = body.feed(chunk)
                if problem is not None:
                    # Closing ends the iteration. Leaving it would leave a chain of asynchronous
                    # generators to the garbage collector, which trio complains of.
                    await response.aclose()
        except httpx.HTTPError:
            if problem is None:
                raise
        if problem is not None:
            raise problem
        return body.finish()


class BoundedBody:
    """Collects a body, decompressing it on the way, up to a limit. No I/O."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._encoding = encoding.strip().lower()
        self._max_bytes = max_bytes
        self._body = bytearray()
        self._inflater = zlib.decompressobj(_GZIP_FORMAT)

    def feed(self, chunk: bytes) -> DirectoryFormatError | None:
        """Take the next bytes, and return what is wrong with them, if anything."""
        if self._encoding in ("", "identity"):
            self._body += chunk
        elif self._encoding in ("gzip", "x-gzip"):
            try:
                self._inflate(chunk)
            except zlib.error:
                return DirectoryFormatError("an answer whose compression is damaged")
        else:
            return DirectoryFormatError("an answer in a compression that was not asked for")
        if len(self._body) > self._max_bytes:
            return DirectoryFormatError(f"an answer of more than {self._max_bytes} bytes")
        return None

    def finish(self) -> bytes:
        """Return the whole body.

        Raises:
            DirectoryFormatError: it is empty, or its compressed form is cut off.
        """
        if not self._body:
            raise DirectoryFormatError("an empty answer")
        if self._encoding.endswith("gzip") and not self._inflater.eof:
            raise DirectoryFormatError("an answer whose compression is cut off")
        return bytes(self._body)

    def _inflate(self, chunk: bytes) -> None:
        while chunk and len(self._body) <= self._max_bytes:
            if self._inflater.eof:  # a gzip file may have several members
                self._inflater = zlib.decompressobj(_GZIP_FORMAT)
            room = self._max_bytes + 1 - len(self._body)
            self._body += self._inflater.decompress(chunk, room)
            chunk = self._inflater.unused_data or self._inflater.unconsumed_tail


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
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "nymproxy",
        },
        timeout=timeout_seconds,
        follow_redirects=False,
        mounts=dict.fromkeys(_LOOPBACK),
    ) as client:
        yield HttpSession(client, timeout_seconds=timeout_seconds, max_body_bytes=max_body_bytes)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    context: ssl.SSLContext = importlib.import_module("httpx").create_ssl_context()
    return context
