"""HTTP GET with limits on time, on size, and on how much is in memory at once."""

from __future__ import annotations

import base64
import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote, urlsplit

import anyio
import anyio.lowlevel
import anyio.to_thread

from nymproxy._dial import ProxyFailed, dial, trusted_context
from nymproxy.errors import DirectoryFormatError, DirectoryUnavailable
from nymproxy.mixnet.directory.bounded_body import BoundedBody

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType
    from typing import Self

    import httpcore

    from nymproxy.connection_options import ConnectionOptions

T = TypeVar("T")

_logger = logging.getLogger("nymproxy.mixnet.directory")

CONNECT_SECONDS: Final = 3.0
"""Looking a name up and connecting, and the same again for TLS. The public network has three
directories, so that a machine without a network knows it within ten seconds."""

PROXIED_CONNECT_SECONDS: Final = 20.0
"""The same through a proxy, which may have a long way of its own."""

LARGE_BYTES: Final = 64 * 1024
"""Larger bodies are parsed in a thread, and wait for their turn."""

LARGE_BODIES_AT_ONCE: Final = 2
"""How many large bodies are read or parsed at a time, for all clients of one event loop."""

BETWEEN_STEPS_SECONDS: Final = 0.002
"""Between two steps of decompressing one body: a step takes a part of it."""

_HEADERS: Final[Mapping[bytes | str, bytes | str]] = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": "nymproxy",
}

_turns: anyio.lowlevel.RunVar[anyio.Semaphore] = anyio.lowlevel.RunVar("large directory bodies")


class _Turn:
    """The right to hold a large body, given back when the block is left."""

    def __init__(self) -> None:
        self._taken: anyio.Semaphore | None = None

    async def take(self) -> None:
        """Wait for it. Does nothing when it is taken already."""
        if self._taken is None:
            turns = _turns.get(None)
            if turns is None:
                turns = anyio.Semaphore(LARGE_BODIES_AT_ONCE)
                _turns.set(turns)
            await turns.acquire()
            self._taken = turns

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._taken is not None:
            self._taken.release()


class HttpSession:
    """A few requests to the directory; see :func:`http_session`."""

    def __init__(
        self,
        pool: httpcore.AsyncConnectionPool,
        *,
        connect_seconds: float,
        timeout_seconds: float,
        max_body_bytes: int,
    ) -> None:
        self._pool = pool
        self._connect_seconds = connect_seconds
        self._timeout_seconds = timeout_seconds
        self._max_body_bytes = max_body_bytes

    async def get(self, url: str, parse: Callable[[bytes], T]) -> T:
        """Return what ``parse`` makes of the decompressed body of a successful answer.

        A lost connection is tried once more; one that cannot be made, an error status or a timeout
        is not. A large body
        takes its turn, which counts towards its time.

        Raises:
            DirectoryUnavailable: no answer in time, or another status than 2xx.
            DirectoryFormatError: the body is too large, empty, damaged or not JSON by its type; or
                ``parse`` raises it.
        """
        try:
            with _Turn() as turn:
                return await self._get(url, parse, turn)
        except (DirectoryUnavailable, DirectoryFormatError) as error:
            # Errors live for long, and in cycles: their frames would keep whole bodies meanwhile.
            raise error.with_traceback(None) from error.__cause__

    async def _get(self, url: str, parse: Callable[[bytes], T], turn: _Turn) -> T:
        body = await self._body(url, turn)
        if len(body) < LARGE_BYTES:
            return parse(body)
        return await anyio.to_thread.run_sync(parse, body)

    async def _body(self, url: str, turn: _Turn) -> bytes:
        import httpcore

        lost = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
        try:
            return await self._body_once(url, turn)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise _no_connection(error) from error
        except lost as error:
            _logger.debug("asking once more after a lost connection: %s", type(error).__name__)
        try:
            return await self._body_once(url, turn)
        except lost as error:
            raise _no_connection(error) from error

    async def _body_once(self, url: str, turn: _Turn) -> bytes:
        try:
            with anyio.fail_after(self._timeout_seconds):
                async with self._pool.stream(
                    "GET",
                    url,
                    headers=_headers(url),
                    extensions={"timeout": {"connect": self._connect_seconds}},
                ) as response:
                    return await self._read(response, turn)
        except TimeoutError as error:
            raise DirectoryUnavailable(
                f"no complete answer within {self._timeout_seconds:g} seconds"
            ) from error

    async def _read(self, response: httpcore.Response, turn: _Turn) -> bytes:
        import httpcore

        if response.status // 100 != 2:
            raise DirectoryUnavailable(f"the answer was HTTP {response.status}")
        if _header(response, b"content-type").startswith("application/bincode"):
            raise DirectoryFormatError("an answer in bincode, although JSON was asked for")
        encoding, length = (
            _header(response, name) for name in (b"content-encoding", b"content-length")
        )
        if encoding or not length.isdecimal() or int(length[:12]) > LARGE_BYTES:
            # Not later: whoever is cancelled must not be inside the iteration below.
            await turn.take()
        body = BoundedBody(encoding, self._max_body_bytes)
        problem: DirectoryFormatError | None = None
        try:
            async for chunk in response.aiter_stream():
                if problem is None:
                    problem = await _fed(body, chunk)
                if problem is not None:
                    # Closing ends the iteration. Leaving it would leave a chain of asynchronous
                    # generators to the garbage collector, which trio complains of.
                    await response.aclose()
            if problem is not None:
                raise problem
            return body.finish()
        except (httpcore.NetworkError, httpcore.ProtocolError):
            if problem is None:
                raise
            raise problem from None
        finally:
            body.discard()  # not when some exception's frames are collected


async def _fed(body: BoundedBody, chunk: bytes) -> DirectoryFormatError | None:
    """Give a body what came, step by step: a kilobyte of it may be a megabyte."""
    problem = body.feed(chunk)
    while problem is None and body.is_behind:
        await anyio.sleep(BETWEEN_STEPS_SECONDS)
        problem = body.feed(b"")
    return problem


def _no_connection(error: Exception) -> DirectoryUnavailable:
    # The system's own words name addresses. (httpcore raises on "from None".)
    failed = isinstance(error.__context__, ProxyFailed)
    reason = error.__context__ if failed else type(error).__name__
    return DirectoryUnavailable(f"no connection ({reason})")


def _headers(url: str) -> Mapping[bytes | str, bytes | str]:
    """Return what goes with a request, the URL's user and password included."""
    parts = urlsplit(url)
    if parts.username is None:
        return _HEADERS
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {**_HEADERS, "Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def _header(response: httpcore.Response, name: bytes) -> str:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return ""


@asynccontextmanager
async def http_session(
    *, timeout_seconds: float, max_body_bytes: int, options: ConnectionOptions
) -> AsyncIterator[HttpSession]:
    """Open a session for the requests of one fetch; its connections close with it.

    Args:
        timeout_seconds: limit for each request as a whole.
        max_body_bytes: limit for each body, decompressed.
        options: how to connect. The environment is not asked.
    """
    context = await trusted_context(options)
    backend = await anyio.to_thread.run_sync(_backend, options)
    import httpcore

    async with httpcore.AsyncConnectionPool(ssl_context=context, network_backend=backend) as pool:
        yield HttpSession(
            pool,
            connect_seconds=CONNECT_SECONDS if options.proxy is None else PROXIED_CONNECT_SECONDS,
            timeout_seconds=timeout_seconds,
            max_body_bytes=max_body_bytes,
        )


def _backend(options: ConnectionOptions) -> httpcore.AsyncNetworkBackend:
    """Import httpcore, in a thread the first time."""
    from nymproxy._httpcore_backend import ByteStreamBackend

    return ByteStreamBackend(partial(dial, options=options))
