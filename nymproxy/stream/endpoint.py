"""Streams over any message transport: what makes a ``MixnetClient`` out of a ``MessageClient``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy._arguments import check_number
from nymproxy.address import addresses_of
from nymproxy.channel.failover import open_to_first
from nymproxy.channel.mux import ChannelMux
from nymproxy.channel.servers import Servers
from nymproxy.errors import UsageError
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.stream.listener import MixnetListener
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.stream import MixnetStream
from nymproxy.stream.traits import StreamOptions
from nymproxy.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from nymproxy.address import NymAddress
    from nymproxy.channel import ChannelProtocol, PeerMemory
    from nymproxy.channel.channel import Channel
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.transport import MessageTransport
    from nymproxy.tracing import Trace

_MAX_SERVERS = 64
"""Lists of recipients of which it is remembered who did not answer."""


class StreamEndpoint:
    """All streams of one transport. Use as ``async with``; closing it leaves the transport open.

    Args:
        transport: whose inbound messages are ours from now on.
        options: settings of the streams.
        memory: what is known of peers; share one between the endpoints of a process.
        more_protocols: other protocols to accept and open at the same address, through
            :attr:`mux`.
        random_bytes: for stream ids.
        grace_seconds: how long leaving the block may flush.
        trace: is told what happens.
    """

    def __init__(
        self,
        transport: MessageTransport,
        *,
        options: StreamOptions | None = None,
        memory: PeerMemory | None = None,
        more_protocols: tuple[ChannelProtocol, ...] = (),
        random_bytes: RandomBytes = system_random_bytes,
        grace_seconds: float = 10.0,
        trace: Trace | None = None,
    ) -> None:
        self._trace = trace
        options = options or StreamOptions()
        self._protocol = (
            StreamProtocol(options) if memory is None else StreamProtocol(options, memory)
        )
        self._transport = transport
        self._servers: dict[tuple[NymAddress, ...], Servers] = {}
        self.mux: ChannelMux = ChannelMux(
            transport,
            (self._protocol, *more_protocols),
            random_bytes=random_bytes,
            grace_seconds=grace_seconds,
        )
        """Where streams and the channels of other protocols live."""

    @property
    def address(self) -> NymAddress:
        """The address that peers dial."""
        return self._transport.address

    async def aclose(self, grace_seconds: float = 0.0) -> None:
        """Refuse new streams and end all, flushing at most ``grace_seconds``."""
        await self.mux.aclose(grace_seconds)

    async def __aenter__(self) -> Self:
        await self.mux.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.mux.__aexit__(exc_type, exc_value, traceback)

    async def open_stream(
        self,
        recipient: NymAddress | str | Sequence[NymAddress | str],
        reply_surbs: int | None = None,
        *,
        wait: bool = False,
        timeout: float | None = None,
    ) -> MixnetStream:
        """Open a stream.

        Args:
            recipient: where, as an address or its text; or several in the order of preference. The
                first that answers within 10 s (or ``timeout``) is taken, so these have to be of
                peers that do, as ours; one that did not is passed over for a while.
            reply_surbs: sent with the first message; ``None`` for
                :attr:`StreamOptions.open_surbs`. Later messages replace what the peer has used. One
                of ours that surely holds twice as many of other streams gets 3.
            wait: wait for a sign of the peer. Off by default, since a Rust acceptor gives none
                before its application writes.
            timeout: limit of that wait in seconds, and only for a call that waits.

        Raises:
            AddressError: the recipient is no address.
            UnknownGateway: the recipient's gateway is not in the topology.
            ClientDisconnected: the client has ended.
            ConfigurationError: an address is given twice, or there is none; ``timeout`` or
                ``reply_surbs`` is no number, or below 0.
            UsageError: there is a timeout, and nothing to wait for.
            StreamRefused: nobody accepts there; only with ``wait``.
            StreamReset: the peer aborted; only with ``wait``.
            PhaseTimeout: no sign in time; only with ``wait``.
        """
        with traced(self._trace, "open_stream"):
            channel = await self._open(addresses_of(recipient), reply_surbs, wait, timeout)
        return MixnetStream(channel, self._trace)

    async def _open(
        self,
        addresses: tuple[NymAddress, ...],
        reply_surbs: int | None,
        wait: bool,
        timeout: float | None,
    ) -> Channel:
        protocol = self._protocol
        if timeout is not None:
            check_number(timeout, "timeout")
        if reply_surbs is not None:
            check_number(reply_surbs, "reply_surbs", whole=True)
            options = replace(protocol.options, open_surbs=reply_surbs)
            protocol = replace(protocol, options=options)
        if len(addresses) == 1:
            if timeout is not None and not wait:
                raise UsageError("timeout limits the wait for the peer: give wait=True with it")
            return await self.mux.open(protocol, addresses[0], wait=wait, timeout=timeout)
        servers = self._servers_at(addresses)
        channel, _ = await open_to_first(
            self.mux, lambda _: protocol, servers, wait=True, timeout=timeout
        )
        return channel

    def _servers_at(self, addresses: tuple[NymAddress, ...]) -> Servers:
        """Return what is known of several servers."""
        servers = self._servers.pop(addresses, None) or Servers(addresses)
        self._servers[addresses] = servers
        if len(self._servers) > _MAX_SERVERS:
            del self._servers[next(iter(self._servers))]
        return servers

    def listener(self, *, backlog: int = 128) -> MixnetListener:
        """Accept streams; once for each client.

        Streams that were opened less than five seconds before are accepted too.

        Args:
            backlog: streams that may wait for :meth:`MixnetListener.accept`; more are refused.

        Raises:
            UsageError: the endpoint was not entered.
            ListenerAlreadyTaken: there was a listener already.
        """
        self.mux.check_entered()
        return self.listen_early(backlog=backlog)

    def listen_early(self, *, backlog: int = 128) -> MixnetListener:
        """As :meth:`listener`, also before the endpoint is entered; it accepts none until then."""
        acceptor = self.mux.listen(self._protocol, backlog=backlog)
        return MixnetListener(acceptor, self.address, self._trace)
