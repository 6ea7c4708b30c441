"""The proxy client: a TCP port whose connections come out at a proxy server's upstream.

Names, parameters and defaults of ``NymProxyClient`` of nym-sdk 1.21.6,
src/tcp_proxy/tcp_proxy_client.rs.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from nymproxy._background_loop import InBackground
from nymproxy._background_task import without_group
from nymproxy._home_loop import HomeLoop
from nymproxy._limited_log import LimitedLog
from nymproxy._log_fields import fields
from nymproxy.address import addresses_of
from nymproxy.channel.servers import Servers
from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import NymError, UsageError
from nymproxy.forward.endpoint import TcpEndpoint, parse_listen
from nymproxy.forward.listener import StreamListener
from nymproxy.forward.sockets import reset_stream, reset_unless_closed
from nymproxy.legacy.app_connections import (
    FIRST_BYTES_SECONDS,
    AppConnection,
    AppConnections,
)
from nymproxy.legacy.background import Runnable, RunningClient
from nymproxy.legacy.connector import mixnet_connector
from nymproxy.legacy.identities import Identities, IdentityMode, Lease, make_identities
from nymproxy.legacy.limits import MAX_CONNECTIONS
from nymproxy.legacy.roster import ClientRoster
from nymproxy.legacy.session import Session
from nymproxy.legacy.session_totals import SessionTotals
from nymproxy.legacy.upstream_header import make_header
from nymproxy.legacy.wire import Destination, check_choice, settings_of

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Mapping, Sequence
    from typing import Self

    from anyio.abc import SocketStream

    from nymproxy._background_loop import BackgroundLoop
    from nymproxy.address import NodeIdentity, NymAddress
    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.forward.endpoint import ListenEndpoint
    from nymproxy.legacy.connector import Connector
    from nymproxy.legacy.lasting import IdentityGroup
    from nymproxy.legacy.roster import RosterChanges
    from nymproxy.legacy.session import SessionSnapshot
    from nymproxy.legacy.wire import WireChoice, WireSettings
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.directory import NetworkDetails
    from nymproxy.mixnet.machine import ClientStatus
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.tracing import Trace

logger = logging.getLogger("nymproxy.legacy")


class NymProxyClient(Runnable):
    """Listens on a TCP port and carries each connection to a proxy server.

    ``await client.run()``, or ``async with client: ...``, or from blocking code
    ``with client.in_background() as running: running.local_address``.

    Args:
        server_address: the proxy server's Nym address; or several in the order of preference: a new
            connection goes to the first that works.
        listen_address: local host name or address; an IPv6 address with or without brackets.
        listen_port: number or text; 0 takes a free port, see :attr:`local_address`.
        close_timeout: seconds without an answer, after the app's end was delivered, until a
            session ends.
        env: env file that describes the network; mainnet without one.
        default_client_amount: identities kept ready (``per-connection``), or used (``pool``).
        listen: in place of ``listen_address`` and ``listen_port``: ``host:port``, ``unix:PATH``, or
            ``fd:NAME`` for a socket that the service manager opened.
        wire: the protocol, ``legacy`` or ``stream``; ``auto``: the first session is a legacy one,
            and once the server has shown that it accepts streams, sessions are streams.
        identity_mode: ``per-connection``, ``pool`` or ``shared``: what the server may link.
        profile: traffic profile, by name or as an object.
        network: the network itself, in place of ``env``.
        gateway: entry gateway of all clients; each chooses its own without one.
        settings: of both protocols; ``close_timeout`` wins over its own.
        upstream_header: ``host:port`` to ask the server for (servers that were told to allow it).
        connect_timeout: seconds without an answer of any kind from the server, with nothing more
            to send, until a session is reset.
        max_connections: TCP connections at once. For one more, the one goes that has been silent
            for longest; if none is silent, it waits.
        options: TLS towards the gateway, and a proxy on the way to it.
        memory: the account of what others make the proxy keep; by default one of its own.
        connector: connects mixnet clients, in place of everything about the network above.
        trace: is told of connecting, and of each session; see :class:`nymproxy.TraceEvent`.
        roster: knows of all mixnet clients; by default one of its own.
        group: whose identity is used, in place of ``identity_mode`` and everything about the
            network above.

    Raises:
        AddressError: the server address is none.
        ConfigurationError: a value that cannot work.
    """

    def __init__(
        self,
        server_address: NymAddress | str | Sequence[NymAddress | str],
        listen_address: str = "127.0.0.1",
        listen_port: int | str = "8080",
        close_timeout: float = 60,
        env: str | os.PathLike[str] | None = None,
        default_client_amount: int = 2,
        *,
        listen: str | None = None,
        wire: WireChoice = "auto",
        identity_mode: IdentityMode = "per-connection",
        profile: TrafficProfile | str = "default",
        network: NetworkDetails | str | os.PathLike[str] | None = None,
        gateway: NodeIdentity | str | None = None,
        settings: WireSettings | None = None,
        upstream_header: str | None = None,
        connect_timeout: float = 60,
        max_connections: int = MAX_CONNECTIONS,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        memory: MemoryAccount | None = None,
        trace: Trace | None = None,
        connector: Connector | None = None,
        roster: ClientRoster | None = None,
        group: IdentityGroup | None = None,
    ) -> None:
        servers = Servers(addresses_of(server_address))
        self._endpoint = (
            TcpEndpoint.at(listen_address, listen_port) if listen is None else parse_listen(listen)
        )
        self._log = LimitedLog(logger)
        self._connections = AppConnections(max_connections, self._log)
        self._header = None if upstream_header is None else make_header(upstream_header)
        self._roster = group.roster if group is not None else roster or ClientRoster()
        self._trace = trace
        self._is_serving = False
        self.totals: SessionTotals = SessionTotals()
        timed = settings_of(settings).with_timeouts(close=close_timeout, connect=connect_timeout)
        destination = Destination(servers, check_choice(wire), timed)
        self._identities: Identities
        if group is not None:
            self._identities = group.identities(destination)
        else:
            connector = connector or mixnet_connector(
                network=network,
                env=env,
                profile=profile,
                gateway=gateway,
                options=options,
                memory=memory,
                roster=self._roster,
                roams=True,
                trace=trace,
            )
            self._identities = make_identities(
                identity_mode, connector, destination, amount=default_client_amount
            )
        self._servers = servers
        self._listener: StreamListener | None = None
        self._grace_seconds = 0.0
        self._is_cutting = False
        self._stop = anyio.Event()
        self._ended = anyio.Event()

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
        self._run_in = HomeLoop("a proxy client")
        self._listener = await StreamListener.bind(self._endpoint)
        for address in self._servers.addresses:
            logger.info("Connecting to mixnet server at %r", address)
        try:
            with without_group():
                await self._serve(self._listener, task_status)
        finally:
            with anyio.CancelScope(shield=True):
                await self._listener.aclose()
            self._ended.set()

    async def disconnect(self, grace_seconds: float = 0.0) -> None:
        """Stop listening, let connections end for at most ``grace_seconds``, then reset those that
        are left, telling the server (at most 10 s), and disconnect."""
        self._check_loop()
        self._grace_seconds = grace_seconds
        self._stop.set()
        if self._listener is not None:
            await self._ended.wait()

    def in_background(self, *, backend: str = "asyncio") -> InBackground[RunningClient]:
        """Run in a thread, for blocking code: for a ``with`` block, or until it is stopped."""

        @asynccontextmanager
        async def serve(loop: BackgroundLoop) -> AsyncIterator[RunningClient]:
            async with self:
                yield RunningClient(loop, self.local_address, self.statistics)

        return InBackground(serve, backend=backend)

    @property
    def local_address(self) -> tuple[str, int]:
        """Host and port where it listens, fit for :func:`socket.create_connection`.

        Raises:
            UsageError: it does not listen yet, or on no TCP port.
        """
        endpoint = self.local_endpoint
        if not isinstance(endpoint, TcpEndpoint):
            raise UsageError(f"the proxy client listens on {endpoint}, which is no TCP port")
        return endpoint.host, endpoint.port

    @property
    def local_endpoint(self) -> ListenEndpoint:
        """Where it listens; its text is that of ``listen``.

        Raises:
            UsageError: it does not listen yet.
        """
        if self._listener is None:
            raise UsageError("the proxy client does not listen yet")
        return self._listener.endpoint

    def use_limit(self, max_connections: int) -> None:
        """Replace the limit of connections; those that are there stay."""
        self._connections.use_limit(max_connections)

    @property
    def status(self) -> ClientStatus:
        """How far it is from carrying traffic, what it waits for, and what keeps it."""
        return self._roster.status_for(self._servers.addresses, is_serving=self._is_serving)

    def status_changes(self) -> RosterChanges:
        """Iterate over the present status and each later one, for ever."""
        return self._roster.changes(lambda: self.status)

    def session_map(self) -> Mapping[int, SessionSnapshot]:
        """Return the sessions that are running now, by the number that names them in the log."""
        return MappingProxyType(self._connections.session_map())

    def close_session(self, number: int) -> bool:
        """Reset a session, telling the server; False: there is none of this number."""
        return self._connections.close(number)

    @property
    def session_count(self) -> int:
        """TCP connections being carried."""
        return self._connections.session_count

    async def _serve(
        self, listener: StreamListener, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._identities.run)
            tasks.start_soon(self._stop_when_asked, listener)
            self._is_serving = True
            self._roster.changed.set()
            task_status.started()
            async with anyio.create_task_group() as sessions:
                await listener.serve(self._carry, sessions, room=self._connections.room)
            await self._identities.stop()

    async def _stop_when_asked(self, listener: StreamListener) -> None:
        await self._stop.wait()
        logger.info("Triggering client shutdown")
        await listener.aclose()
        served, cut = await self._connections.drain(self._grace_seconds)
        self._is_cutting = True
        logger.info("Stopping: %d connections were served to the end, %d are cut", served, cut)
        self._connections.stop()

    async def _carry(self, stream: SocketStream) -> None:
        """Carry one TCP connection. Whatever goes wrong ends it with a reset, and nothing else."""
        reset_unless_closed(stream)
        connection = self._connections.add(stream)
        number = connection.number
        try:
            with connection.scope:
                await self._carry_by_an_identity(connection)
        except (NymError, OSError) as error:
            self.totals.ended["failed"] += 1
            self._log.warning(
                anyio.current_time(),
                "Session %d could not be carried: %s",
                number,
                error,
                extra=fields(
                    "session-failed", session=number, reason=getattr(error, "code", "system")
                ),
            )
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            logger.warning("Session %d ended at once: %s", number, error.__cause__ or "stopped")
        except Exception as error:  # a fault of ours: other connections must not pay for it
            logger.exception("Session %d ended: %s", number, type(error).__name__)
        finally:
            self._connections.remove(connection)
            with anyio.CancelScope(shield=True):
                await reset_stream(stream)  # nothing happens when it is closed already

    async def _carry_by_an_identity(self, connection: AppConnection) -> None:
        with anyio.move_on_after(FIRST_BYTES_SECONDS):
            await connection.listen()
        lease = await self._identity_for(connection)
        if lease is None:
            logger.debug("Connection %d ended without a word", connection.number)
            return
        first = (self._header or b"") + connection.first
        async with lease.channel(first) as channel:
            session = Session(
                connection.number,
                channel,
                self._log,
                self.totals,
                on_first_bytes=connection.spoke,
                trace=self._trace,
            )
            connection.session = session
            with session:
                if self._is_cutting:
                    session.stop()
                await session.run(connection.stream, sent=len(connection.first))

    async def _identity_for(self, connection: AppConnection) -> Lease | None:
        """Wait for an identity; ``None``: the app went away without a word."""
        lease: Lease | None = None
        try:
            if connection.is_silent and not connection.is_gone:
                with without_group():
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(_listen, connection, tasks.cancel_scope)
                        await connection.silent_turn()
                        lease = await self._identities.take(is_patient=True)
                        tasks.cancel_scope.cancel()
        except BaseException:
            _release(lease)  # cancelled on the way out
            raise
        if connection.is_gone:
            _release(lease)
            return None
        return lease or await self._identities.take()


async def _listen(connection: AppConnection, scope: anyio.CancelScope) -> None:
    """Give up waiting as a silent connection as soon as it is none."""
    await connection.listen()
    scope.cancel()


def _release(lease: Lease | None) -> None:
    if lease is not None:
        lease.release()
