"""One channel, for applications: the async shell around :class:`ChannelMachine`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from nymproxy._home_loop import HomeLoop
from nymproxy.address import SenderTag
from nymproxy.errors import PhaseTimeout, ResetCode, StreamError
from nymproxy.mixnet.transport import check_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress
    from nymproxy.channel.driver import ChannelDriver
    from nymproxy.channel.protocol import PeerTraits
    from nymproxy.channel.segment import ChannelId
    from nymproxy.errors import NymError

logger = logging.getLogger("nymproxy.channel")

CLOSE_SECONDS = 10.0
"""How long ``aclose`` of a channel that is not sealed may flush."""


def _closed() -> anyio.ClosedResourceError:
    return anyio.ClosedResourceError("it was closed here (aclose)")


class Channel:
    """An ordered, reliable byte channel with half-close both ways.

    Made by :meth:`ChannelMux.open` and :meth:`ChannelAcceptor.accept`. One task at a time may
    send, and one receive (else ``anyio.BusyResourceError``). Errors of the channel are raised as
    ``anyio.BrokenResourceError`` from the ``NymError`` that says why, which is also in
    :attr:`error`.
    """

    def __init__(self, driver: ChannelDriver) -> None:
        self._driver = driver
        self._home = HomeLoop("a stream")
        self._machine = driver.machine
        self._receiving = anyio.ResourceGuard("receiving from")
        self._sending = anyio.ResourceGuard("sending to")

    # Facts.

    @property
    def id(self) -> ChannelId:
        """The number of the channel: 64 bits in a stream, a UUID's 128 in a legacy session."""
        return self._machine.channel_id

    @property
    def peer(self) -> NymAddress | SenderTag:
        """The address we dialed, or the tag that the anonymous dialer had then."""
        return self._driver.opened_with

    @property
    def protocol(self) -> str:
        """The codec's name: ``"stream"`` or ``"legacy"``."""
        return self._driver.key.protocol

    @property
    def traits(self) -> PeerTraits:
        """What is known of the peer."""
        return self._machine.traits

    @property
    def local_address(self) -> NymAddress:
        """Our own address."""
        return self._driver.transport.address

    @property
    def is_dialer(self) -> bool:
        """True when we opened the channel."""
        return self._machine.is_dialer

    @property
    def is_established(self) -> bool:
        """True once the peer has sent anything (acceptors: always)."""
        return self._machine.is_established

    @property
    def error(self) -> NymError | None:
        """Why the channel failed, if it did."""
        return self._machine.error

    def when_over(self, listener: Callable[[], None]) -> None:
        """Have one listener called once, when nothing more happens; at once where that is so."""
        if self._driver.is_done:
            listener()
        else:
            self._driver.on_over = listener

    @property
    def has_received_data(self) -> bool:
        """True once a payload that is not empty came in order."""
        return self._machine.inbound.has_payload

    @property
    def has_delivered_data(self) -> bool:
        """True once a payload of ours that is not empty was acknowledged."""
        return self._machine.outbound.flight.acknowledged_bytes > 0

    @property
    def is_at_end(self) -> bool:
        """True when the peer's direction has ended and everything was received."""
        return self._machine.is_at_end

    @property
    def reply_surbs_in_hand(self) -> int | None:
        """Reply SURBs that we hold for the dialer; ``None`` on channels that we opened."""
        peer = self._driver.peer
        if not isinstance(peer, SenderTag):
            return None
        return self._driver.transport.reply_surbs_in_hand(peer)

    @property
    def round_trip_seconds(self) -> float | None:
        """From the first message we sent to the first one of the peer; ``None`` before that, and
        on channels that the peer opened."""
        sent, received = self._machine.first_handed_over_at, self._machine.first_received_at
        if not self.is_dialer or sent is None or received is None:
            return None
        return received - sent

    # Sending.

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Hand bytes over, waiting only for room (``SendRules.send_window_bytes``).

        Up to a quarter of the window is taken over whole or not at all. Cancelled after a part
        of more was taken, the sending direction is broken.

        Raises:
            UsageError: no bytes; and, here as in all that follows, another event loop.
            anyio.ClosedResourceError: after our ``send_eof`` or ``aclose``.
            anyio.BrokenResourceError: the channel failed.
            anyio.BusyResourceError: another task is sending.
        """
        check_bytes(data)
        self._home.check()
        with self._sending:
            await anyio.lowlevel.checkpoint_if_cancelled()
            self._check_sendable()
            rest = memoryview(bytes(data))
            whole = len(rest)
            try:
                while rest:
                    taken = self._write_some(rest)
                    rest = rest[taken:]
                    if not taken:
                        await self._driver.writable.wait()
                        self._check_sendable()
            except anyio.get_cancelled_exc_class():
                if 0 < len(rest) < whole:
                    self._break_sending()
                raise
            await anyio.lowlevel.cancel_shielded_checkpoint()

    def _write_some(self, data: memoryview) -> int:
        """Write what there is room for, but no less than a quarter of the window or all."""
        machine = self._machine
        room = machine.room
        if room < min(len(data), machine.traits.rules.sending.send_window_bytes // 4):
            return 0
        piece = bytes(data[:room])
        machine.app_wrote(piece)
        self._changed()
        return len(piece)

    def _break_sending(self) -> None:
        self._machine.break_sending(
            StreamError("a send was cancelled half-way: nothing can be sent after its part")
        )
        self._changed()

    def _check_sendable(self) -> None:
        machine = self._machine
        if machine.is_closed:
            raise _closed()
        if machine.error is None and machine.outbound.end_requested:
            raise anyio.ClosedResourceError("nothing can be sent after the end was (send_eof)")
        error = machine.error or machine.write_error
        if error is not None:
            raise anyio.BrokenResourceError(str(error)) from error

    async def send_eof(self) -> None:
        """End our direction after what was sent; receiving goes on. Idempotent.

        Raises:
            anyio.ClosedResourceError: after our ``aclose``.
            anyio.BrokenResourceError: the channel failed.
            anyio.BusyResourceError: another task is sending.
        """
        self._home.check()
        with self._sending:
            await anyio.lowlevel.checkpoint_if_cancelled()
            if not self._machine.outbound.end_requested or self._machine.is_closed:
                self._check_sendable()
                self._machine.app_finished()
                self._changed()
            await anyio.lowlevel.cancel_shielded_checkpoint()

    async def drain(self) -> None:
        """Wait until everything that was sent, the end too, is acknowledged.

        Raises:
            anyio.ClosedResourceError: after our ``aclose``.
            anyio.BrokenResourceError: the channel failed.
        """
        self._home.check()
        machine = self._machine
        machine.app_flushed()
        self._changed()
        await self._wait_until(lambda: machine.outbound.is_drained or machine.is_closed)
        if machine.is_closed:
            raise _closed()
        error = machine.error or machine.write_error
        if error is not None:
            raise anyio.BrokenResourceError(str(error)) from error

    # Receiving.

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return 1 to ``max_bytes`` bytes, in order.

        Raises:
            anyio.EndOfStream: the peer's direction has ended.
            anyio.ClosedResourceError: after our ``aclose``.
            anyio.BrokenResourceError: the channel failed; what came in order before was returned.
            anyio.BusyResourceError: another task is receiving.
            ValueError: ``max_bytes`` is not positive.
        """
        if max_bytes < 1:
            raise ValueError(f"max_bytes is {max_bytes}, expected 1 or more")
        return await self._receive(lambda: self._machine.inbound.read(max_bytes))

    async def receive_frame(self) -> bytes:
        """Return the payload of one message whole (after a partial ``receive``: its rest).

        Raises as :meth:`receive`. Empty messages are passed over.
        """
        return await self._receive(self._machine.inbound.read_frame)

    async def _receive(self, take: Callable[[], bytes]) -> bytes:
        self._home.check()
        with self._receiving:
            await anyio.lowlevel.checkpoint()  # also before the end is reported
            while not self._machine.is_readable or self._machine.is_closed:
                self._check_receivable()
                await self._driver.readable.wait()
            data = take()
            if self._machine.window_is_due(anyio.current_time()):
                self._changed()
            return data

    def _check_receivable(self) -> None:
        machine = self._machine
        if machine.is_closed:
            raise _closed()
        if machine.inbound.has_ended and not machine.is_cut_short:
            raise anyio.EndOfStream("the peer has ended its direction; all of it was received")
        if machine.error is not None:
            raise anyio.BrokenResourceError(str(machine.error)) from machine.error

    # The end.

    async def aclose(self) -> None:
        """End both directions: flush (at most 10 s), tell the end, drop what still comes.

        Cancelled, or after 10 s with data left, the channel is aborted instead. A sealed channel
        is flushed for as long as the peer acknowledges more within each
        ``QuietRules.close_timeout_seconds``. Idempotent.
        """
        self._home.check()
        machine = self._machine
        if machine.is_closed:
            await anyio.lowlevel.checkpoint()
            return
        machine.app_closed()
        self._driver.release()
        self._changed()
        is_flushed = False
        try:
            is_flushed = await self._flush()
        finally:
            if not is_flushed:
                logger.info("a channel was closed before everything sent was acknowledged")
                self.abort(ResetCode.CANCELLED, "closed before everything was acknowledged")

    async def _flush(self) -> bool:
        """Wait until all is acknowledged, or the channel has failed; False: that takes too long."""
        outbound, is_sealed = self._machine.outbound, self._driver.link.hears_the_peer
        limit = (
            self._machine.traits.rules.quiet.close_timeout_seconds if is_sealed else CLOSE_SECONDS
        )
        while True:
            before = outbound.flight.acknowledged_bytes
            with anyio.move_on_after(limit):
                await self._wait_until(lambda: outbound.is_drained)
                return True
            if not is_sealed or outbound.flight.acknowledged_bytes == before:
                return False

    def abort(self, code: ResetCode = ResetCode.CANCELLED, reason: str = "") -> None:
        """End both directions at once; the peer is told so where the protocol can. Idempotent."""
        self._home.check()
        self._machine.abort(code, reason)
        self._driver.release()
        self._changed()

    async def wait_established(self, timeout: float | None = None) -> None:
        """Wait for the first message of the peer.

        Raises:
            PhaseTimeout: none came in time.
            anyio.BrokenResourceError: the channel failed (``StreamRefused``, ...).
        """
        machine = self._machine
        try:
            with anyio.fail_after(timeout):
                await self._wait_until(lambda: machine.is_established)
        except TimeoutError:
            raise PhaseTimeout(f"the peer did not answer within {timeout} s") from None
        if machine.error is not None:
            raise anyio.BrokenResourceError(str(machine.error)) from machine.error

    async def wait_closed(self) -> None:
        """Wait until the channel is over: both directions ended and acknowledged, or failed."""
        self._home.check()
        await self._wait_until(lambda: self._driver.is_done)

    async def _wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for a condition, or the end of the channel; always a checkpoint."""
        await anyio.lowlevel.checkpoint()
        while not is_so() and self._machine.error is None and not self._driver.is_done:
            await self._driver.state.wait()

    def _changed(self) -> None:
        if not self._driver.is_done:
            self._driver.changed(anyio.current_time())
