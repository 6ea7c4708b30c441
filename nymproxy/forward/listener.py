"""A TCP listener that outlives what can go wrong with one connection."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.stapled import MultiListener

from nymproxy._log_fields import fields
from nymproxy.channel.limited_log import LimitedLog
from nymproxy.errors import ConfigurationError
from nymproxy.forward.endpoint import TcpEndpoint
from nymproxy.forward.sockets import read_on_demand, reset_stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from anyio.abc import Listener, SocketStream, TaskGroup

logger = logging.getLogger("nymproxy.forward")

ACCEPT_PAUSE_SECONDS = 0.2
"""Pause after a failed accept: with no file descriptor left, the next one would fail at once."""

ConnectionHandler: TypeAlias = "Callable[[SocketStream], Coroutine[Any, Any, None]]"


class TcpListener:
    """Listens on one TCP endpoint and runs a handler for each connection.

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
        self._local_endpoint: TcpEndpoint | None = None
        self._log = LimitedLog(logger)

    @classmethod
    async def bind(cls, endpoint: TcpEndpoint) -> TcpListener:
        """Bind and listen. Port 0 takes a free port; :attr:`local_endpoint` tells which.

        Raises:
            ConfigurationError: the address is not ours, or the port is in use or not allowed.
        """
        try:
            listener = await anyio.create_tcp_listener(
                local_host=endpoint.host, local_port=endpoint.port
            )
        except (OSError, UnicodeError) as error:
            raise ConfigurationError(
                f"cannot listen on {endpoint}: {error}; choose another address or port"
            ) from error
        bound = cls(list(listener.listeners))
        assert bound.local_endpoint  # remembered, since a closed socket cannot tell it
        return bound

    @property
    def local_endpoint(self) -> TcpEndpoint:
        """Where the first of the sockets listens (or listened, once it is closed)."""
        if self._local_endpoint is None:
            first = self._listeners[0]
            host = str(first.extra(SocketAttribute.local_address)[0])
            self._local_endpoint = TcpEndpoint(host, first.extra(SocketAttribute.local_port))
        return self._local_endpoint

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
        await MultiListener(self._listeners).aclose()

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
        accept = listener.accept  # type: ignore[attr-defined]  # of SocketListener; not of Listener
        while True:
            try:
                stream: SocketStream = await accept()
            except anyio.ClosedResourceError:
                return None
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


def _hint(reason: BaseException) -> str:
    if isinstance(reason, OSError) and reason.errno in (errno.EMFILE, errno.ENFILE):
        return f"{reason.strerror}: raise the limit with ulimit -n, or set a connection limit"
    return str(reason)
