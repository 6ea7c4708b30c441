"""HTTP GET with limits on time, on size, and on how much is in memory at once."""

from __future__ import annotations

import gc
import logging
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import anyio.to_thread

from nymproxy.errors import DirectoryFormatError, DirectoryUnavailable
from nymproxy.mixnet.directory.bounded_body import BoundedBody
from nymproxy.mixnet.directory.http_connection import ConnectionLost, HttpConnection, NoConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType
    from typing import Self

    import h11

    from nymproxy.connection_options import ConnectionOptions

T = TypeVar("T")

_logger = logging.getLogger("nymproxy.mixnet.directory")

CONNECT_SECONDS: Final = 3.0
"""Looking a name up and connecting, and the same again for TLS. The public network has three
directories, so that a machine without a network knows it within ten seconds."""

PROXIED_CONNECT_SECONDS: Final = 20.0
"""The same through a proxy, which may have a long way of its own."""

LARGE_BYTES: Final = 16 * 1024
"""Larger bodies are parsed in a thread, and wait for their turn."""

LARGE_BODIES_AT_ONCE: Final = 2
"""How many large bodies are read or parsed at a time, for all clients of one event loop."""

BETWEEN_STEPS_SECONDS: Final = 0.002
"""Between two steps of decompressing one body: a step takes a part of it."""

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
        options: ConnectionOptions,
        *,
        connect_seconds: float,
        timeout_seconds: float,
        max_body_bytes: int,
    ) -> None:
        self._options = options
        self._idle: list[tuple[str, HttpConnection]] = []
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
        return await anyio.to_thread.run_sync(_parse_large, parse, body)

    async def aclose(self) -> None:
        """Close the connections that were kept for further requests."""
        for _, connection in self._idle:
            await connection.aclose()
        self._idle.clear()

    async def _body(self, url: str, turn: _Turn) -> bytes:
        try:
            return await self._body_once(url, turn)
        except NoConnection as error:
            raise DirectoryUnavailable(f"no connection ({error})") from error
        except ConnectionLost as error:
            _logger.debug("asking once more after a lost connection: %s", error)
        try:
            return await self._body_once(url, turn)
        except (NoConnection, ConnectionLost) as error:
            raise DirectoryUnavailable(f"no connection ({error})") from error

    async def _body_once(self, url: str, turn: _Turn) -> bytes:
        try:
            with anyio.fail_after(self._timeout_seconds):
                origin, connection = await self._connection(url)
                try:
                    body = await self._read(connection, await connection.request(url), turn)
                    if connection.take_again():
                        self._idle.append((origin, connection))
                    return body
                finally:
                    if (origin, connection) not in self._idle:
                        await connection.aclose()
        except TimeoutError as error:
            raise DirectoryUnavailable(
                f"no complete answer within {self._timeout_seconds:g} seconds"
            ) from error

    async def _connection(self, url: str) -> tuple[str, HttpConnection]:
        """Return a connection to the host of a URL: one that is idle, or a new one."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        for entry in self._idle:
            if entry[0] == origin:
                self._idle.remove(entry)
                return entry
        return origin, await HttpConnection.open(url, self._options, self._connect_seconds)

    async def _read(self, connection: HttpConnection, head: h11.Response, turn: _Turn) -> bytes:
        if head.status_code // 100 != 2:
            raise DirectoryUnavailable(f"the answer was HTTP {head.status_code}")
        if _header(head, b"content-type").startswith("application/bincode"):
            raise DirectoryFormatError("an answer in bincode, although JSON was asked for")
        encoding, length = (
            _header(head, name) for name in (b"content-encoding", b"content-length")
        )
        if encoding or not length.isdecimal() or int(length[:12]) > LARGE_BYTES:
            await turn.take()
        body = BoundedBody(encoding, self._max_body_bytes)
        try:
            while chunk := await connection.next_chunk():
                # A chunk may be a byte, and many of them be there already.
                await anyio.lowlevel.checkpoint()
                problem = await _fed(body, chunk)
                if problem is not None:
                    raise problem
            return body.finish()
        finally:
            body.discard()  # not when some exception's frames are collected


class _CollectorPause:
    """While a large body is parsed, by whomever, garbage is not collected: all that is parsed would
    be walked through again and again, for up to 0.15 s in which the event loop stands still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._count:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            if not self._count and self._was_enabled:
                gc.enable()


_collector_pause = _CollectorPause()


def _parse_large(parse: Callable[[bytes], T], body: bytes) -> T:
    with _collector_pause:
        return parse(body)


async def _fed(body: BoundedBody, chunk: bytes) -> DirectoryFormatError | None:
    """Give a body what came, step by step: a kilobyte of it may be a megabyte."""
    problem = body.feed(chunk)
    while problem is None and body.is_behind:
        await anyio.sleep(BETWEEN_STEPS_SECONDS)
        problem = body.feed(b"")
    return problem


def _header(head: h11.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in head.headers if key == name), "")


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
    session = HttpSession(
        options,
        connect_seconds=CONNECT_SECONDS if options.proxy is None else PROXIED_CONNECT_SECONDS,
        timeout_seconds=timeout_seconds,
        max_body_bytes=max_body_bytes,
    )
    try:
        yield session
    finally:
        await session.aclose()
