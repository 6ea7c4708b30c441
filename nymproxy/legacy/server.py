"""The proxy server: a Nym address whose sessions come out at one TCP upstream, in both protocols.

Names and parameters of ``NymProxyServer`` of nym-sdk 1.21.6, src/tcp_proxy/tcp_proxy_server.rs.
"""

from __future__ import annotations

import itertools
import logging
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from nymproxy._arguments import check_number
from nymproxy._background_loop import InBackground
from nymproxy._background_task import without_group
from nymproxy._home_loop import HomeLoop
from nymproxy._limited_log import LimitedLog
from nymproxy._log_fields import fields
from nymproxy.channel.limits import TableLimits
from nymproxy.channel.mux import ChannelMux
from nymproxy.channel.orphans import OrphanLimits
from nymproxy.channel.rules import MIB
from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import (
    ClientDisconnected,
    ResetCode,
    StreamRefused,
    UsageError,
)
from nymproxy.forward.endpoint import parse_endpoint
from nymproxy.forward.sockets import CONNECT_SECONDS
from nymproxy.legacy.admission import Admission
from nymproxy.legacy.background import DisconnectSignal, Runnable, RunningServer
from nymproxy.legacy.connector import FLUSH_SECONDS, server_connector
from nymproxy.legacy.limits import DEFAULT_LIMITS, SessionLimits
from nymproxy.legacy.refusing import refuse_all
from nymproxy.legacy.roster import ClientRoster
from nymproxy.legacy.session import Session, SessionSnapshot, session_name
from nymproxy.legacy.session_totals import SessionTotals
from nymproxy.legacy.upstream_dialer import UpstreamDialer
from nymproxy.legacy.upstream_header import AllowList
from nymproxy.legacy.wire import WireSettings, accepted_wires, settings_of

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Mapping, Sequence
    from typing import Any, Self

    from nymproxy._background_loop import BackgroundLoop
    from nymproxy.address import NodeIdentity, NymAddress
    from nymproxy.channel import ChannelProtocol
    from nymproxy.channel.acceptor import ChannelAcceptor
    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.forward.endpoint import Endpoint
    from nymproxy.legacy.connector import Connector
    from nymproxy.legacy.roster import RosterChanges
    from nymproxy.legacy.wire import Wire
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.directory import NetworkDetails
    from nymproxy.mixnet.machine import ClientStatus
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.mixnet.transport import ConnectedClient
    from nymproxy.tracing import Trace

logger = logging.getLogger("nymproxy.legacy")

_BEFORE_THE_FIRST = OrphanLimits(bytes_per_id=4 * MIB)
"""A session's messages that overtake its first: all that its client may have under way."""


class NymProxyServer(Runnable):
    """Accepts sessions of both protocols at one Nym address, and carries each to the upstream.

    Made by :meth:`create`, which connects; then :meth:`run`, or ``async with server:``. The address
    stays the same as long as ``config_dir`` does.
    """

    def __init__(
        self,
        client: ConnectedClient,
        upstream: Endpoint,
        *,
        accept: Sequence[Wire],
        settings: WireSettings,
        limits: SessionLimits,
        connect_timeout: float,
        allowed_upstreams: AllowList | None,
        roster: ClientRoster,
        trace: Trace | None = None,
    ) -> None:
        self._client = client
        self._accept = accept
        self._settings = settings
        self._limits = limits
        self._roster = roster
        self._trace = trace
        self.totals: SessionTotals = SessionTotals()
        """What was carried so far."""
        self._numbers = itertools.count(1)
        self._dialer = UpstreamDialer(
            upstream,
            allowed=allowed_upstreams,
            timeout=connect_timeout,
            per_second=limits.connects_per_second,
            is_restored=client.is_restored,
        )
        self._log = LimitedLog(logger)
        self._admission = Admission(limits, self._log)
        self._stop = anyio.Event()
        self._ended = anyio.Event()
        self._grace_seconds = 0.0
        self._was_run = False
        self._is_serving = False
        self._is_lost = False

    @classmethod
    async def create(
        cls,
        upstream_address: str,
        config_dir: str | os.PathLike[str] | None,
        env: str | os.PathLike[str] | None = None,
        gateway: NodeIdentity | str | Sequence[NodeIdentity | str] | None = None,
        *,
        gateways: int = 1,
        accept: Sequence[str] = ("legacy", "stream"),
        profile: TrafficProfile | str = "default",
        network: NetworkDetails | str | os.PathLike[str] | None = None,
        settings: WireSettings | None = None,
        max_sessions: int = DEFAULT_LIMITS.sessions,
        max_sessions_per_client: int = DEFAULT_LIMITS.sessions_per_client,
        connect_rate: float = DEFAULT_LIMITS.connects_per_second,
        connect_timeout: float = CONNECT_SECONDS,
        allowed_upstreams: Sequence[str] | None = None,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        memory: MemoryAccount | None = None,
        trace: Trace | None = None,
        connector: Connector | None = None,
        roster: ClientRoster | None = None,
    ) -> Self:
        """Connect to the mixnet; :meth:`run` then serves.

        Args:
            upstream_address: ``host:port`` or ``unix:PATH``, connected anew for every session.
            config_dir: directory with the keys, and so with the address; ``None``: a new address.
            env: env file that describes the network; mainnet without one.
            gateway: entry gateway to ask for, or several.
            gateways: at how many the server has an address, at least; those that ``gateway`` does
                not name are chosen at random. Each has an identity, in a folder of
                ``config_dir``.
            accept: the protocols.
            profile: traffic profile, by name or as an object.
            network: the network itself, in place of ``env``.
            settings: of both protocols, idle limits among them.
            max_sessions: for more, the longest idle ones go; if none is idle, new ones are refused.
            max_sessions_per_client: the same for each sender tag.
            connect_rate: new upstream connections in a second; others wait.
            connect_timeout: seconds for connecting to the upstream.
            allowed_upstreams: ``host:port`` or ``host:*``: sessions may ask for these with an
                ``UPSTREAM:host:port`` line (the dialect of nym-rpc). Off without it.
            options: TLS towards the gateway, and a proxy on the way to it.
            memory: the account of what others make the proxy keep; by default one of its own.
            trace: is told of connecting, and of each session; see :class:`nymproxy.TraceEvent`.
            connector: connects the mixnet client, in place of everything about it above.
            roster: is told of the mixnet client, how far it is with connecting, too.

        Raises:
            ConfigurationError: a value that cannot work.
            NymError: the storage cannot be used, or the mixnet not be reached.
        """
        upstream = parse_endpoint(upstream_address)
        wires, settings = accepted_wires(accept), settings_of(settings)
        check_number(connect_timeout, "the time limit for connecting to the upstream")
        limits = SessionLimits(
            sessions=max_sessions,
            sessions_per_client=max_sessions_per_client,
            connects_per_second=connect_rate,
        )
        roster = ClientRoster() if roster is None else roster
        allowed = None if allowed_upstreams is None else AllowList.parse(allowed_upstreams)
        connector = connector or server_connector(
            gateway=gateway,
            count=gateways,
            network=network,
            env=env,
            profile=profile,
            storage=config_dir,
            options=options,
            memory=memory,
            roster=roster,
            trace=trace,
        )
        logger.info("Creating client")
        client = await connector()
        for address in client.addresses:
            logger.info("Client created: %s", address)
        return cls(
            client,
            upstream,
            accept=wires,
            settings=settings,
            limits=limits,
            connect_timeout=connect_timeout,
            allowed_upstreams=allowed,
            roster=roster,
            trace=trace,
        )

    @classmethod
    def in_background(
        cls,
        upstream_address: str,
        config_dir: str | os.PathLike[str] | None,
        *arguments: Any,  # noqa: ANN401  (those of create, which checks them)
        backend: str = "asyncio",
        **options: Any,  # noqa: ANN401
    ) -> InBackground[RunningServer]:
        """Create a server and run it in a thread: for a ``with`` block, or until it is stopped.

        Takes the arguments of :meth:`create`.
        """

        @asynccontextmanager
        async def serve(loop: BackgroundLoop) -> AsyncIterator[RunningServer]:
            server = await cls.create(upstream_address, config_dir, *arguments, **options)
            async with server:
                yield RunningServer(
                    loop, server.nym_address(), server.session_map, server.statistics
                )

        return InBackground(serve, backend=backend)

    def nym_address(self) -> NymAddress:
        """Return what clients are given: the first one, if there are several."""
        return self._client.address

    def nym_addresses(self) -> tuple[NymAddress, ...]:
        """Return the addresses at all gateways; each does."""
        return self._client.addresses

    def session_map(self) -> Mapping[int, SessionSnapshot]:
        """Return the sessions that are running now, by the number that names them in the log."""
        return MappingProxyType(
            {number: session.snapshot() for number, session in self._admission.sessions.items()}
        )

    @property
    def status(self) -> ClientStatus:
        """How far it is from carrying traffic, what it waits for, and what keeps it."""
        return self._roster.status_for(is_serving=self._is_serving)

    def status_changes(self) -> RosterChanges:
        """Iterate over the present status and each later one, for ever."""
        return self._roster.changes(lambda: self.status)

    def use_limits(self, limits: SessionLimits) -> None:
        """Replace the limits; they count for sessions that come."""
        self._admission.use_limits(limits)
        self._dialer.use_rate(limits.connects_per_second)

    def close_session(self, number: int) -> bool:
        """Reset a session, telling its client; False: there is none of this number."""
        session = self._admission.sessions.get(number)
        if session is not None:
            session.stop(ResetCode.CANCELLED, "the operator of the server closed the session")
        return session is not None

    def disconnect_signal(self) -> DisconnectSignal:
        """Return what stops the server when it is sent."""
        return DisconnectSignal(self._stop, self._check_loop)

    async def disconnect(self, grace_seconds: float = 0.0) -> None:
        """Stop accepting, let sessions end for at most ``grace_seconds``, then reset those that are
        left, telling their peers (at most 10 s), and disconnect."""
        self._check_loop()
        self._grace_seconds = grace_seconds
        self._stop.set()
        if self._was_run:
            await self._ended.wait()
        else:
            await self._client.aclose()

    async def run_with_shutdown(self) -> None:
        """Serve until the disconnect signal; the old module's name of :meth:`run`."""
        await self.run()

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until :meth:`disconnect`, the disconnect signal, or cancelled.

        Raises:
            UsageError: it was run before.
            ClientDisconnected: the mixnet client lost its gateway for good.
        """
        if self._was_run:
            raise UsageError("this proxy server was run before; create another one")
        self._was_run = True
        self._run_in = HomeLoop("a proxy server")
        try:
            with without_group():
                async with self._client as client:
                    protocols = self._settings.protocols_of_server(self._accept, client.packet_rate)
                    mux = ChannelMux(
                        client,
                        list(protocols.values()),
                        limits=TableLimits(
                            channels=2 * self._limits.sessions, orphans=_BEFORE_THE_FIRST
                        ),
                        grace_seconds=FLUSH_SECONDS,
                    )
                    async with mux:
                        await self._serve_all(mux, protocols, task_status)
        finally:
            self._ended.set()
        if self._is_lost:
            raise ClientDisconnected("the proxy server lost its gateway for good; start it again")

    async def _serve_all(
        self,
        mux: ChannelMux,
        protocols: Mapping[Wire, ChannelProtocol],
        task_status: anyio.abc.TaskStatus[None],
    ) -> None:
        acceptors = {wire: mux.listen(protocol) for wire, protocol in protocols.items()}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_when_lost, mux)
            tasks.start_soon(self._admission.end_half_open)
            tasks.start_soon(self._dialer.run)
            async with anyio.create_task_group() as sessions:
                for wire, acceptor in acceptors.items():
                    if wire in self._accept:
                        tasks.start_soon(self._accept_all, acceptor, sessions)
                    else:
                        tasks.start_soon(refuse_all, acceptor, wire, self._accept, self._log)
                self._is_serving = True
                self._roster.changed.set()
                self._dialer.started()
                task_status.started()
                await self._stop.wait()
                for acceptor in acceptors.values():
                    await acceptor.aclose()
                await self._admission.drain(self._grace_seconds)
                # Each tells its client, in bounded time; the group waits for them.
            tasks.cancel_scope.cancel()

    async def _stop_when_lost(self, mux: ChannelMux) -> None:
        await mux.wait_ended()
        logger.error("The mixnet client has ended; stopping")
        self._is_lost = True
        self._stop.set()

    async def _accept_all(self, acceptor: ChannelAcceptor, sessions: anyio.abc.TaskGroup) -> None:
        while True:
            try:
                channel = await acceptor.accept()
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                return
            if self._admission.make_room(channel):
                number = next(self._numbers)
                session = Session(number, channel, self._log, self.totals, trace=self._trace)
                self._admission.add(session)
                sessions.start_soon(self._serve, session)

    async def _serve(self, session: Session) -> None:
        """Carry one session. Whatever goes wrong ends it, and nothing else."""
        logger.debug("Spawned a new session handler: %s", session_name(session.channel))
        try:
            with session, session.starting:
                stream, channel = await self._dialer.connect(session.channel)
                try:
                    await session.run(stream, channel)
                finally:
                    await anyio.aclose_forcefully(stream)  # closed already, unless by a fault
        except StreamRefused as error:
            self.totals.ended["refused"] += 1
            self._log.warning(
                anyio.current_time(),
                "Session %d was refused: %s",
                session.number,
                error,
                extra=fields("session-refused", session=session.number, reason=error.code),
            )
            session.channel.abort(ResetCode.REFUSED, "the upstream cannot be reached")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            self._log.warning(
                anyio.current_time(),
                "Session %d ended at once: %s",
                session.number,
                error.__cause__,
            )
        except Exception as error:  # a fault of ours: its other sessions must not pay for it
            logger.exception("Session %d ended: %s", session.number, type(error).__name__)
            session.channel.abort(ResetCode.CANCELLED, "a fault in the proxy")
        finally:
            self._admission.remove(session)
