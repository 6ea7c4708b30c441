"""A listener that outlives what can go wrong with one connection."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from anyio.abc import SocketAttribute, SocketListener
from anyio.streams.stapled import MultiListener

from nymproxy._limited_log import LimitedLog
from nymproxy._log_fields import fields
from nymproxy.errors import ConfigurationError
from nymproxy.forward.endpoint import InheritedEndpoint, TcpEndpoint, UnixEndpoint
from nymproxy.forward.inherited import inherited_socket
from nymproxy.forward.sockets import read_on_demand, reset_stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from anyio.abc import Listener, SocketStream, TaskGroup

    from nymproxy.forward.endpoint import ListenEndpoint

logger = logging.getLogger("nymproxy.forward")

ACCEPT_PAUSE_SECONDS = 0.2
"""Pause after a failed accept: with no file descriptor left, the next one would fail at once."""

UNIX_SOCKET_MODE = 0o660

ConnectionHandler: TypeAlias = "Callable[[SocketStream], Coroutine[Any, Any, None]]"


class StreamListener:
    """Listens on one endpoint and runs a handler for each connection.

    A failed accept is logged and followed by a pause, never the end.

    Use :meth:`bind`, then :meth:`serve`.
    """

    def __init__(
        self,
        listeners: list[Listener[SocketStream]],
        *,
        accept_pause_seconds: float = ACCEPT_PAUSE_SECONDS,
    ) -> None:
        self._listeners = listeners
        self._accept_pause_seconds = accept_pause_seconds
        self._endpoint: ListenEndpoint | None = None
        self._accepts: set[anyio.CancelScope] = set()
        self._log = LimitedLog(logger)

    @classmethod
    async def bind(cls, endpoint: ListenEndpoint, *, mode: int | None = None) -> StreamListener:
        """Bind and listen. Port 0 takes a free port; :attr:`endpoint` tells which.

        A Unix socket is made anew, for this user and his group (or with another ``mode``), and goes
        when the listener is closed. An inherited one stays open for the next listener.

        Raises:
            ConfigurationError: the address is not ours, the port is in use or not allowed, or no
                socket of that name was inherited.
        """
        try:
            listeners = await _listeners(endpoint, UNIX_SOCKET_MODE if mode is None else mode)
        except (OSError, UnicodeError) as error:
            raise ConfigurationError(
                f"cannot listen on {endpoint}: {error}; choose another address or port"
            ) from error
        bound = cls(listeners)
        if isinstance(endpoint, TcpEndpoint):
            first = listeners[0]
            host = str(first.extra(SocketAttribute.local_address)[0])
            endpoint = TcpEndpoint(host, first.extra(SocketAttribute.local_port))
        bound._endpoint = endpoint
        return bound

    @property
    def endpoint(self) -> ListenEndpoint:
        """Where it listens (or listened, once it is closed)."""
        assert self._endpoint is not None, "it was not made by bind()"
        return self._endpoint

    @property
    def local_endpoint(self) -> TcpEndpoint:
        """Where the first of the sockets of a TCP listener listens."""
        assert isinstance(self.endpoint, TcpEndpoint)
        return self.endpoint

    async def serve(
        self,
        handler: ConnectionHandler,
        task_group: TaskGroup,
        *,
        room: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Accept until closed or cancelled.

        Args:
            handler: called with each connection.
            task_group: where the handlers run.
            room: awaited before each of them, if there is a limit: one connection waits here, the
                others in the backlog of the operating system.
        """
        async with anyio.create_task_group() as accepting:
            for listener in self._listeners:
                accepting.start_soon(self._accept_all, listener, handler, task_group, room)

    async def aclose(self) -> None:
        """Stop listening; running handlers go on."""
        # anyio 4.16 on asyncio wakes only an accept() that waits at this moment. One that has just
        # begun goes on to wait for a socket that is closed by then, which nothing ends.
        for scope in self._accepts:
            scope.cancel()
        await MultiListener(self._listeners).aclose()
        if isinstance(self._endpoint, UnixEndpoint):
            with contextlib.suppress(OSError):  # somebody was quicker, or it is not ours any more
                os.unlink(self._endpoint.path)

    async def _accept_all(
        self,
        listener: Listener[SocketStream],
        handler: ConnectionHandler,
        task_group: TaskGroup,
        room: Callable[[], Awaitable[None]] | None,
    ) -> None:
        while (stream := await self._accept(listener)) is not None:
            handed_over = False
            try:
                if room is not None:
                    await room()
                task_group.start_soon(handler, stream)
                handed_over = True
            finally:
                if not handed_over:
                    await reset_stream(stream)

    async def _accept(self, listener: Listener[SocketStream]) -> SocketStream | None:
        """Return the next connection, or ``None`` once the listener is closed."""
        with anyio.CancelScope() as scope:
            self._accepts.add(scope)
            try:
                return await self._accept_until_one_comes(listener)
            except anyio.ClosedResourceError:
                return None
            finally:
                self._accepts.remove(scope)
        return None

    async def _accept_until_one_comes(self, listener: Listener[SocketStream]) -> SocketStream:
        accept = listener.accept  # type: ignore[attr-defined]  # of SocketListener; not of Listener
        while True:
            try:
                stream: SocketStream = await accept()
            except (OSError, anyio.BrokenResourceError) as error:
                # trio's flavour wraps the OSError.
                reason = error if isinstance(error, OSError) else error.__cause__ or error
                self._log.warning(
                    anyio.current_time(),
                    "Accepting a connection failed (%s); trying again in %g s",
                    _hint(reason),
                    self._accept_pause_seconds,
                    extra=fields("accept-failed"),
                )
                await anyio.sleep(self._accept_pause_seconds)
            else:
                read_on_demand(stream)
                return stream


async def _listeners(endpoint: ListenEndpoint, mode: int) -> list[Listener[SocketStream]]:
    if isinstance(endpoint, UnixEndpoint):
        await _refuse_taken(endpoint)
        unix: Any = await anyio.create_unix_listener(endpoint.path, mode=mode)
        return [unix]
    if isinstance(endpoint, InheritedEndpoint):
        inherited: Any = await SocketListener.from_socket(inherited_socket(endpoint.name))
        return [inherited]
    listener = await anyio.create_tcp_listener(local_host=endpoint.host, local_port=endpoint.port)
    return list(listener.listeners)


async def _refuse_taken(endpoint: UnixEndpoint) -> None:
    """Take the place of a socket that was left, but not that of one where somebody listens."""
    try:
        stream = await anyio.connect_unix(endpoint.path)
    except OSError:
        return
    await stream.aclose()
    raise ConfigurationError(f"another process listens on {endpoint}: choose another path")


def _hint(reason: BaseException) -> str:
    if isinstance(reason, OSError) and reason.errno in (errno.EMFILE, errno.ENFILE):
        return f"{reason.strerror}: raise the limit with ulimit -n, or set a connection limit"
    return str(reason)
