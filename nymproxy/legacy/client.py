"""The proxy client: a TCP port whose connections come out at a proxy server's upstream.

Names, parameters and defaults of ``NymProxyClient`` of nym-sdk 1.21.6,
src/tcp_proxy/tcp_proxy_client.rs.
"""

from __future__ import annotations

import itertools
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.abc
from anyio.from_thread import start_blocking_portal

from nymproxy._background_task import BackgroundTask, without_group
from nymproxy.address import NymAddress
from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import NymError, UsageError
from nymproxy.forward.endpoint import TcpEndpoint, parse_port
from nymproxy.forward.listener import TcpListener
from nymproxy.forward.sockets import reset_stream
from nymproxy.legacy.background import RunningClient, running
from nymproxy.legacy.connector import mixnet_connector
from nymproxy.legacy.identities import IdentityMode, make_identities
from nymproxy.legacy.session import Session
from nymproxy.legacy.upstream_header import make_header
from nymproxy.legacy.wire import Destination, WireSettings, check_wire

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from anyio.abc import SocketStream

    from nymproxy.address import NodeIdentity
    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.legacy.connector import Connector
    from nymproxy.legacy.wire import Wire
    from nymproxy.mixnet.directory import NetworkDetails
    from nymproxy.mixnet.traffic import TrafficProfile

logger = logging.getLogger("nymproxy.legacy")


class NymProxyClient:
    """Listens on a TCP port and carries each connection to a proxy server.

    ``await client.run()``, or ``async with client: ...``, or from blocking code
    ``with client.in_background() as running: running.local_address``.

    Args:
        server_address: the proxy server's Nym address.
        listen_address: local host name or address; an IPv6 address with or without brackets.
        listen_port: number or text; 0 takes a free port, see :attr:`local_address`.
        close_timeout: seconds without an answer, after the app's end was delivered, until a
            session ends.
        env: env file that describes the network; mainnet without one.
        default_client_amount: identities kept ready (``per-connection``), or used (``pool``).
        wire: the protocol, ``legacy`` or ``stream``.
        identity_mode: ``per-connection``, ``pool`` or ``shared``: what the server may link.
        profile: traffic profile, by name or as an object.
        network: the network itself, in place of ``env``.
        gateway: entry gateway of all clients; each chooses its own without one.
        settings: of both protocols; ``close_timeout`` wins over its own.
        upstream_header: ``host:port`` to ask the server for (servers that were told to allow it).
        max_connections: TCP connections at once; more wait.
        options: TLS towards the gateway, and a proxy on the way to it.
        connector: connects mixnet clients, in place of everything about the network above.

    Raises:
        AddressError: the server address is none.
        ConfigurationError: a value that cannot work.
    """

    def __init__(
        self,
        server_address: NymAddress | str,
        listen_address: str = "127.0.0.1",
        listen_port: int | str = "8080",
        close_timeout: float = 60,
        env: str | os.PathLike[str] | None = None,
        default_client_amount: int = 2,
        *,
        wire: Wire = "legacy",
        identity_mode: IdentityMode = "per-connection",
        profile: TrafficProfile | str = "default",
        network: NetworkDetails | None = None,
        gateway: NodeIdentity | str | None = None,
        settings: WireSettings | None = None,
        upstream_header: str | None = None,
        max_connections: int | None = None,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        connector: Connector | None = None,
    ) -> None:
        address = (
            server_address
            if isinstance(server_address, NymAddress)
            else NymAddress.parse(server_address)
        )
        self._endpoint = TcpEndpoint(listen_address.strip("[]"), parse_port(listen_port))
        self._max_connections = max_connections
        self._header = None if upstream_header is None else make_header(upstream_header)
        self._identities = make_identities(
            identity_mode,
            connector
            or mixnet_connector(
                network=network, env=env, profile=profile, gateway=gateway, options=options
            ),
            Destination(
                address,
                check_wire(wire),
                (settings or WireSettings()).with_close_timeout(close_timeout),
            ),
            amount=default_client_amount,
        )
        self._server_address = address
        self._numbers = itertools.count(1)
        self._sessions: dict[int, Session] = {}
        self._listener: TcpListener | None = None
        self._stop = anyio.Event()
        self._ended = anyio.Event()
        self._background = BackgroundTask(self.run)

    @classmethod
    def new_with_defaults(
        cls, server_address: NymAddress | str, env: str | os.PathLike[str] | None = None
    ) -> Self:
        """127.0.0.1:8080, 60 s, two clients in reserve."""
        return cls(server_address, env=env)

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until :meth:`disconnect` or cancelled. Started when connections can be served.

        Raises:
            UsageError: it was run before.
            ConfigurationError: the port cannot be listened on.
            NymError: no mixnet client could be connected at the start. Later failures are logged,
                and reset the connections concerned.
        """
        if self._listener is not None:
            raise UsageError("this proxy client was run before; make another one")
        self._listener = await TcpListener.bind(
            self._endpoint, max_connections=self._max_connections
        )
        logger.info("Connecting to mixnet server at %r", self._server_address)
        try:
            with without_group():
                await self._serve(self._listener, task_status)
        finally:
            with anyio.CancelScope(shield=True):
                await self._listener.aclose()
            self._ended.set()

    async def disconnect(self) -> None:
        """Stop listening, end all sessions, telling the server (at most 10 s), and disconnect."""
        self._stop.set()
        if self._listener is not None:
            await self._ended.wait()

    @contextmanager
    def in_background(self, *, backend: str = "asyncio") -> Iterator[RunningClient]:
        """Run in a thread for the length of the ``with`` block, for blocking code."""
        with (
            start_blocking_portal(backend) as portal,
            running(portal, self.run, self.disconnect),
        ):
            yield RunningClient(portal, self.local_address)

    @property
    def local_address(self) -> tuple[str, int]:
        """Host and port where it listens, fit for :func:`socket.create_connection`.

        Raises:
            UsageError: it does not listen yet.
        """
        if self._listener is None:
            raise UsageError("the proxy client does not listen yet")
        endpoint = self._listener.local_endpoint
        return endpoint.host, endpoint.port

    @property
    def session_count(self) -> int:
        """TCP connections being carried."""
        return len(self._sessions)

    async def __aenter__(self) -> Self:
        """Run in the background; returns when connections can be served."""
        await self._background.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""
        if exc_value is None:
            await self.disconnect()
        await self._background.cancel(exc_type, exc_value, traceback)

    async def _serve(self, listener: TcpListener, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._identities.run)
            tasks.start_soon(self._stop_when_asked, listener)
            task_status.started()
            async with anyio.create_task_group() as sessions:
                await listener.serve(self._carry, sessions)
            await self._identities.stop()

    async def _stop_when_asked(self, listener: TcpListener) -> None:
        await self._stop.wait()
        logger.info("Triggering client shutdown")
        await listener.aclose()
        for session in list(self._sessions.values()):
            session.stop()

    async def _carry(self, stream: SocketStream) -> None:
        """Carry one TCP connection. Whatever goes wrong ends it with a reset, and nothing else."""
        number = next(self._numbers)
        try:
            async with self._identities.channel() as channel:
                session = self._sessions[number] = Session(number, channel)
                if self._stop.is_set():
                    session.stop()
                if self._header is not None:
                    await channel.send(self._header)
                await session.run(stream)
        except (NymError, OSError) as error:
            logger.warning("Session %d could not be carried: %s", number, error)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            logger.warning("Session %d ended at once: %s", number, error.__cause__ or "stopped")
        finally:
            self._sessions.pop(number, None)
            with anyio.CancelScope(shield=True):
                await reset_stream(stream)  # nothing happens when it is closed already
