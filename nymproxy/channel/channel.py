"""One channel, for applications: the async shell around :class:`ChannelMachine`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.errors import ResetCode

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.protocol import PeerProfile
    from nymproxy.channel.segment import ChannelId
    from nymproxy.errors import NymError


class Channel:
    """An ordered, reliable byte channel with half-close both ways.

    Made by :meth:`ChannelMux.open` and :meth:`ChannelAcceptor.accept`. One task at a time may
    send, and one receive (else ``anyio.BusyResourceError``). Errors of the channel are raised as
    ``anyio.BrokenResourceError`` from the ``NymError`` that says why, which is also in
    :attr:`error`.
    """

    id: ChannelId
    peer: NymAddress | SenderTag
    """The address we dialed, or the tag of the anonymous dialer."""
    protocol: str
    """The codec's name: ``"stream"`` or ``"legacy"``."""
    profile: PeerProfile

    @property
    def local_address(self) -> NymAddress:
        """Our own address."""
        raise NotImplementedError

    @property
    def is_dialer(self) -> bool:
        """True when we opened the channel."""
        raise NotImplementedError

    @property
    def is_established(self) -> bool:
        """True once the peer has sent anything (acceptors: always)."""
        raise NotImplementedError

    @property
    def error(self) -> NymError | None:
        """Why the channel failed, if it did."""
        raise NotImplementedError

    @property
    def has_received_data(self) -> bool:
        """True once a non-empty payload came in order (legacy R6: a Close before that)."""
        raise NotImplementedError

    @property
    def reply_surbs_in_hand(self) -> int | None:
        """Reply SURBs that we hold for the dialer; ``None`` on channels that we opened."""
        raise NotImplementedError

    @property
    def round_trip_seconds(self) -> float | None:
        """From the first message we sent to the first one of the peer; ``None`` before."""
        raise NotImplementedError

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Hand bytes over, waiting only for room (``ChannelRules.send_window_bytes``).

        Up to a quarter of the window is taken over whole or not at all. Cancelled after a part
        of more was taken, the sending direction is broken.

        Raises:
            anyio.ClosedResourceError: after our ``send_eof`` or ``aclose``.
            anyio.BrokenResourceError: the channel failed.
            anyio.BusyResourceError: another task is sending.
        """
        raise NotImplementedError

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return 1 to ``max_bytes`` bytes, in order.

        Raises:
            anyio.EndOfStream: the peer's direction has ended.
            anyio.ClosedResourceError: after our ``aclose``.
            anyio.BrokenResourceError: the channel failed; what came in order before was returned.
            anyio.BusyResourceError: another task is receiving.
        """
        raise NotImplementedError

    async def receive_frame(self) -> bytes:
        """Return the payload of one message whole (after a partial ``receive``: its rest)."""
        raise NotImplementedError

    async def send_eof(self) -> None:
        """End our direction after what was sent; receiving goes on. Idempotent."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Wait until everything that was sent, the end too, is acknowledged.

        Raises:
            anyio.ClosedResourceError: after our ``aclose``.
            anyio.BrokenResourceError: the channel failed.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """End both directions: flush (at most 10 s), tell the end, drop what still comes.

        Cancelled, or after 10 s with data left, the channel is aborted instead.
        """
        raise NotImplementedError

    def abort(self, code: ResetCode = ResetCode.CANCELLED, reason: str = "") -> None:
        """End both directions at once; the peer is told so where the protocol can. Idempotent."""
        raise NotImplementedError

    async def wait_established(self, timeout: float | None = None) -> None:
        """Wait for the first message of the peer.

        Raises:
            PhaseTimeout: none came in time.
            anyio.BrokenResourceError: the channel failed (``StreamRefused``, ...).
        """
        raise NotImplementedError

    async def wait_closed(self) -> None:
        """Wait until the channel is over: both directions ended and acknowledged, or failed."""
        raise NotImplementedError
