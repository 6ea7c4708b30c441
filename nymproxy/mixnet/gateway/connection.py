"""One connection to a gateway: the websocket joined to the client's state machine."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import time
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from nymproxy._alarm import Alarm
from nymproxy._dial import dial, start_tls
from nymproxy._limited_log import LimitedLog
from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import ConfigurationError, GatewayUnreachable, NymError, PhaseTimeout
from nymproxy.mixnet.gateway.events import (
    Authenticating,
    GatewayEvent,
    Pushed,
    Registered,
    Streaming,
)
from nymproxy.mixnet.gateway.websocket import CLOSE_SECONDS, WebSocketStream
from nymproxy.mixnet.gateway.websocket_messages import Ping, Pong, WebSocketEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.mixnet.gateway.backlog import Backlog
    from nymproxy.mixnet.gateway.listener import GatewayListener
    from nymproxy.mixnet.gateway.protocol import GatewayClientProtocol
    from nymproxy.mixnet.messages import MixPacket

_log = logging.getLogger("nymproxy.gateway")

_WRITE_BYTES = 64 * 1024

_NO_ROOM = "dropped a stored message: there are more than we can hold"

_UNREAD_SECONDS = 1.0
"""After which time to look again whether somebody reads."""

_INTERRUPTING = (Registered, Authenticating, Streaming)
"""On these the caller has to act before more is read."""

CONNECTION_LOST = (
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.BusyResourceError,
)
"""What the websocket raises when it can no longer be used."""


def parse_websocket_url(url: str) -> WebSocketURI:
    """Read a ``ws://`` or ``wss://`` URL.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise ConfigurationError(
            f"{url!r} is no websocket URL: expected ws://host:port or wss://host:port"
        ) from error


async def open_websocket(
    url: str, *, limit_seconds: float, options: ConnectionOptions = DEFAULT_OPTIONS
) -> WebSocketStream:
    """Connect to one URL. All addresses of a host name are tried.

    Args:
        url: ``ws://`` or ``wss://``.
        limit_seconds: for everything up to the websocket's opening handshake.
        options: whether through a proxy, and what ``wss`` trusts. TLS only hides the connection:
            the gateway is authenticated by its identity.

    Raises:
        ConfigurationError: no such URL.
        GatewayUnreachable: nobody answers, or no websocket server, or an untrusted certificate.
        PhaseTimeout: it took too long.
    """
    uri = parse_websocket_url(url)
    try:
        with anyio.fail_after(limit_seconds):
            stream = await dial(uri.host, uri.port, options)
            try:
                if uri.secure:
                    stream = await start_tls(stream, uri.host, options)
                return await WebSocketStream.connect(stream, uri)
            except BaseException:
                await anyio.aclose_forcefully(stream)
                raise
    except TimeoutError as error:
        raise PhaseTimeout(f"no connection to {url} within {limit_seconds:g} s") from error
    except (OSError, UnicodeError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
        raise GatewayUnreachable(
            f"no connection to {url} ({_reason(error)}): check the address and the network"
        ) from error
    except GatewayUnreachable as error:
        raise GatewayUnreachable(f"no connection to {url}: {error}") from error


def _reason(error: BaseException) -> str:
    """Name the innermost cause: anyio wraps what the system said."""
    while error.__cause__ is not None:
        error = error.__cause__
    has_own_text = isinstance(error, (ssl.SSLError, socket.gaierror))
    if isinstance(error, OSError) and error.errno and not has_own_text:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


async def open_listener(
    listener: GatewayListener, *, limit_seconds: float, options: ConnectionOptions = DEFAULT_OPTIONS
) -> WebSocketStream:
    """Connect to a gateway's URL, or to its fallback when that fails.

    Raises:
        GatewayUnreachable, PhaseTimeout: as :func:`open_websocket`, for the last URL tried.
    """
    *earlier, last = listener.urls
    for url in earlier:
        try:
            return await open_websocket(url, limit_seconds=limit_seconds, options=options)
        except (GatewayUnreachable, PhaseTimeout) as error:
            _log.warning("%s; trying the fallback listener", error)
    return await open_websocket(last, limit_seconds=limit_seconds, options=options)


class GatewayConnection:
    """Drives one :class:`GatewayClientProtocol` over one websocket.

    One task calls :meth:`establish` and then :meth:`receive`; any number of tasks send.

    Args:
        websocket: a fresh connection, taken over.
        protocol: a fresh state machine.
        clock: monotonic seconds.
        unix_time: wall-clock seconds.
    """

    def __init__(
        self,
        websocket: WebSocketStream,
        protocol: GatewayClientProtocol,
        *,
        clock: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._protocol = protocol
        self._websocket = websocket
        self._clock = clock
        self._unix_time = unix_time
        self._log = LimitedLog(_log)
        self._failure: BaseException | None = None
        self._deadline = Alarm(clock)

    async def establish(
        self,
        backlog: Backlog,
        *,
        on_registered: Callable[[Registered], Awaitable[None]],
        on_authenticating: Callable[[Authenticating], Awaitable[None]],
    ) -> None:
        """Register or authenticate, and claim bandwidth if needed.

        Args:
            backlog: takes the messages that the gateway had stored for us. It has forgotten them
                then, so they are there also when this fails later.
            on_registered: stores the new key before anything else happens.
            on_authenticating: called before the request is sent.

        Raises:
            GatewayUnreachable: the connection ended meanwhile.
            GatewayRefused, OutOfBandwidth, PhaseTimeout, GatewayProtocolError: as the state
                machine raises them.
        """
        self._protocol.start(self._clock())
        while not self._protocol.is_streaming:
            try:
                events = await self._receive_in_time()
            except CONNECTION_LOST as error:
                raise GatewayUnreachable(
                    f"the gateway ended the connection while {self._protocol.phase.value}"
                ) from error
            for event in events:
                match event:
                    case Registered():
                        await on_registered(event)
                    case Authenticating():
                        await on_authenticating(event)
                    case Pushed(message=message):
                        if not backlog.store(message):
                            self._log.warning(self._clock(), _NO_ROOM)
                    case Streaming():
                        _log.debug("connected with protocol %d", self._protocol.protocol_version)
                    case _:
                        pass
        await self.flush()

    async def receive(self) -> list[GatewayEvent]:
        """Send what is due, then wait for messages and return what they mean (maybe nothing).

        Deadlines are the business of :meth:`keep_time`.

        Raises:
            EndOfStream, BrokenResourceError, ClosedResourceError: the connection is over.
            NymError: as the state machine raises them; the connection is of no more use.
        """
        await self.flush()
        if self._failure is not None:
            raise self._failure
        return self._events_of(await self._websocket.receive_event())

    async def _receive_in_time(self) -> list[GatewayEvent]:
        """Do the same before the deadline of the phase."""
        await self.flush()
        if self._failure is not None:
            raise self._failure
        deadline = self._protocol.deadline
        assert deadline is not None, "the protocol was not started"
        with anyio.move_on_after(max(0.0, deadline - self._clock())):
            return self._events_of(await self._websocket.receive_event())
        self._time_out()
        return []

    async def keep_time(self) -> None:
        """Act on the deadlines of a streaming connection, until it is cancelled.

        Raises:
            PhaseTimeout: the gateway has gone silent.
            EndOfStream, BrokenResourceError, ClosedResourceError: the connection is over.
        """
        while True:
            deadline = self._protocol.deadline
            assert deadline is not None, "the protocol was not started"
            if deadline > self._clock():
                await self._deadline.wait_until(deadline)
            elif self._websocket.is_receiving:
                self._time_out()
                await self.flush()
                await anyio.lowlevel.checkpoint()
            else:  # while nobody reads, silence means nothing
                await self._deadline.wait_until(self._clock() + _UNREAD_SECONDS)

    def _time_out(self) -> None:
        self._protocol.time_out(self._clock(), self._unix_time())

    def _events_of(self, first: WebSocketEvent) -> list[GatewayEvent]:
        """Return what a message means, and all that came with it."""
        event: WebSocketEvent | None = first
        events: list[GatewayEvent] = []
        try:
            while event is not None:
                events += self._take(event)
                if events and isinstance(events[-1], _INTERRUPTING):
                    break
                event = self._websocket.take_event()
        except NymError as error:
            if not events:
                raise
            self._failure = error  # what came before it still counts
        return events

    def _deadline_moved(self) -> None:
        self._deadline.wake_before(self._protocol.deadline or 0.0)

    def _take(self, event: WebSocketEvent) -> list[GatewayEvent]:
        now = self._clock()
        match event:
            case str():
                events = self._protocol.receive_text(event, now, self._unix_time())
                self._deadline_moved()
                return events
            case bytes():
                return self._protocol.receive_binary(event, now)
            case Ping() | Pong():
                self._protocol.receive_pong(now)
                return []

    async def flush(self) -> None:
        """Send the texts and pings that the state machine wants sent."""
        if not self._protocol.wants_to_send:
            return
        self._deadline_moved()
        texts = self._protocol.texts_to_send()
        if texts:
            await self._websocket.send(*texts)
        if self._protocol.take_ping():
            await self._websocket.ping()

    @property
    def available_bandwidth(self) -> int:
        """Bytes left at the gateway, as last reported."""
        return self._protocol.allowance.available

    def renew_bandwidth(self) -> bool:
        """Claim bandwidth when it is due; True while packets may be sent. Then :meth:`flush`, or
        :meth:`send_packets`, which does so first."""
        return self._protocol.renew_bandwidth(self._clock(), self._unix_time())

    def did_not_read(self, seconds: float) -> None:
        """Tell for how long nobody read: the gateway cannot have been late meanwhile."""
        self._protocol.postpone(seconds)

    @property
    def is_writable(self) -> bool:
        """False once nothing can be sent any more."""
        return self._websocket.is_writable

    async def send_packets(self, packets: Iterable[MixPacket]) -> None:
        """Seal packets and write them together, in pieces of some 64 KiB.

        Waits while too much is unwritten. Raises as :meth:`receive` does.
        """
        await self.flush()
        frames: list[bytes] = []
        size = 0
        for frame in self._protocol.seal_packets(packets):
            frames.append(frame)
            size += len(frame)
            if size >= _WRITE_BYTES:
                await self._websocket.send(*frames)
                frames, size = [], 0
        if frames:
            await self._websocket.send(*frames)

    async def run_writer(self) -> None:
        """Write in the background until the connection ends (see WebSocketStream.run_writer)."""
        await self._websocket.run_writer()

    async def aclose(self) -> None:
        """Send the last words, if any, and close. Bounded; idempotent."""
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            try:
                await self.flush()
            except CONNECTION_LOST:
                _log.debug("the connection ended before our last words")
        await self._websocket.aclose()
