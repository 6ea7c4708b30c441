"""All channels of one transport: :class:`ChannelMux` reads it, and gives each message to its
channel by protocol (first byte), sender tag and channel id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.abc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.address import NymAddress
    from nymproxy.channel.channel import Channel
    from nymproxy.channel.protocol import ChannelProtocol
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.transport import MessageTransport


class ChannelAcceptor:
    """The channels that peers open in one protocol, from :meth:`ChannelMux.listen`."""

    async def accept(self) -> Channel:
        """Return the next channel. Cancelling loses none.

        Raises:
            anyio.ClosedResourceError: the acceptor was closed.
            anyio.BrokenResourceError: the transport has ended (from ``ClientDisconnected``).
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Stop accepting: waiting channels, and later ones, are refused. Idempotent."""
        raise NotImplementedError


class ChannelMux:
    """Owns a transport's inbound messages and all channels on it.

    ``async with anyio.create_task_group() as tasks: await tasks.start(mux.run)``; everything else
    works while ``run`` does.

    Args:
        transport: not closed by the mux.
        protocols: which messages to read; a channel can only be opened or accepted in one of
            these (by the name of the codec).
        random_bytes: for channel ids.
    """

    def __init__(
        self,
        transport: MessageTransport,
        protocols: Sequence[ChannelProtocol],
        *,
        random_bytes: RandomBytes,
    ) -> None:
        raise NotImplementedError

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Run until the transport ends or :meth:`aclose`; then every channel has failed with
        ``ClientDisconnected``. Call once."""
        raise NotImplementedError

    async def open(
        self,
        protocol: ChannelProtocol,
        to: NymAddress,
        *,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Channel:
        """Open a channel.

        Args:
            protocol: one of the mux's, or another object with the same codec and other settings.
            to: the peer.
            wait: wait for a sign of the peer. Off by default: a Rust 1.21.6 acceptor gives none
                before its application writes.
            timeout: limit of that wait in seconds.

        Raises:
            UnknownGateway: the peer's gateway is not in the topology (protocols with OPEN; in the
                others the first ``send`` fails).
            ClientDisconnected: the transport has ended.
            StreamRefused, StreamReset: only with ``wait``.
            PhaseTimeout: only with ``wait``.
        """
        raise NotImplementedError

    def listen(self, protocol: ChannelProtocol, *, backlog: int = 128) -> ChannelAcceptor:
        """Accept channels in a protocol; its settings apply to them.

        Beyond ``backlog`` unaccepted channels new ones are refused. Channels that were opened
        less than 5 s before are accepted too.

        Raises:
            ListenerAlreadyTaken: there is one for this protocol.
        """
        raise NotImplementedError

    async def aclose(self, grace_seconds: float = 10.0) -> None:
        """Refuse new channels, close all (flushing at most ``grace_seconds``), end ``run``."""
        raise NotImplementedError
