"""One TCP connection carried over one channel, on either side."""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from nymproxy._log_fields import fields
from nymproxy.channel.protocol import AbortSignal
from nymproxy.errors import ResetCode
from nymproxy.forward.forwarder import ForwardEnd, Forwarding, ForwardResult
from nymproxy.tracing import Operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from anyio.abc import ByteStream

    from nymproxy._limited_log import LimitedLog
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.channel import Channel
    from nymproxy.forward.forwarder import ByteChannel
    from nymproxy.legacy.session_totals import SessionTotals
    from nymproxy.tracing import Trace

logger = logging.getLogger("nymproxy.legacy")

_BROKEN_OFF_HERE = frozenset({ForwardEnd.SOCKET_FAILED, ForwardEnd.STOPPED})
_UNDERSTOOD = {
    AbortSignal.FIN: "an old one takes it for an orderly end",
    AbortSignal.NONE: "an old one hears nothing of it",
}

_MARK_BYTES = 4


def session_mark(channel: Channel) -> str:
    """Return the number by which both sides name a session in their logs.

    It is made of the id on the wire, which it does not tell.
    """
    name = f"{channel.protocol}:{channel.id:x}".encode()
    return hashlib.blake2s(name, digest_size=_MARK_BYTES).hexdigest()


def session_name(channel: Channel) -> str:
    """Return the id of a session as the old proxies print it: for DEBUG only."""
    if channel.protocol == "legacy":
        return str(uuid.UUID(int=channel.id))
    return f"StreamId({channel.id:#018x})"


@dataclass(frozen=True, slots=True)
class SessionSnapshot:
    """What one session has done so far.

    Attributes:
        number: counts the sessions of this proxy; names the session in its logs.
        protocol: ``legacy`` or ``stream``.
        session_id: the session's UUID, or the stream's id, as the old proxies print it.
        seconds: since it began.
        bytes_to_peer: read from the TCP side and accepted for the mixnet.
        bytes_from_peer: read from the mixnet and accepted by the TCP side.
        is_ending: its TCP side is over, and the totals have counted it; the peer is being told.
    """

    number: int
    protocol: str
    session_id: str
    seconds: float
    bytes_to_peer: int
    bytes_from_peer: int
    is_ending: bool = False


class Session:
    """A running session.

    Args:
        number: names it in the logs, where its id on the wire must not appear.
        channel: to the peer.
        log: for what a stranger can cause.
        totals: counts it.
        on_first_bytes: called when the first bytes have gone through, in either direction.
        trace: is told of it, as a block (``with session:``).
    """

    def __init__(
        self,
        number: int,
        channel: Channel,
        log: LimitedLog,
        totals: SessionTotals,
        *,
        on_first_bytes: Callable[[], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.number = number
        self.channel = channel
        self.starting = anyio.CancelScope()
        """Around what comes before :meth:`run`; cancelled when the session is stopped then."""
        self.began_at = anyio.current_time()
        self._log = log
        self._totals = totals
        totals.began += 1
        self._on_first_bytes = on_first_bytes
        self._forwarding: Forwarding | None = None
        self._is_counted = False
        self._facts: dict[str, str | int] = {"session": number, "protocol": channel.protocol}
        self._operation = None if trace is None else Operation(trace, "session", self._facts)
        self._mark = session_mark(channel)
        logger.info(
            "Starting session: %d (%s, %s)",
            number,
            channel.protocol,
            self._mark,
            extra=fields(
                "session-began", session=number, mark=self._mark, protocol=channel.protocol
            ),
        )
        logger.debug("Starting session: %s (number %d)", session_name(channel), number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._operation is not None:
            moved = self._forwarding
            sent, received = (moved.bytes_to_channel, moved.bytes_to_socket) if moved else (0, 0)
            carried = {"sent_bytes": sent, "received_bytes": received}
            self._operation.end({**self._facts, **carried}, error or self.channel.error)

    @property
    def peer(self) -> NymAddress | SenderTag:
        """Whose session it is."""
        return self.channel.peer

    @property
    def has_carried(self) -> bool:
        """True once bytes have gone through, in either direction."""
        forwarding = self._forwarding
        return forwarding is not None and bool(
            forwarding.bytes_to_channel or forwarding.bytes_to_socket
        )

    @property
    def last_active_at(self) -> float:
        """When bytes went either way last."""
        return self._forwarding.last_active_at if self._forwarding else self.began_at

    @property
    def is_half_open(self) -> bool:
        """True until the peer has sent data, or data of ours has arrived there."""
        return not (self.channel.has_received_data or self.channel.has_delivered_data)

    async def run(
        self, stream: ByteStream, channel: ByteChannel | None = None, *, sent: int = 0
    ) -> ForwardResult:
        """Carry a TCP stream; both are closed at the end.

        Args:
            stream: the TCP side.
            channel: what to read and write in place of the channel itself.
            sent: bytes that were read from the TCP side before, and are in the channel.
        """
        self._forwarding = Forwarding(
            stream,
            channel or self.channel,
            sent=sent,
            on_first_bytes=self._on_first_bytes,
        )
        result = await self._forwarding.run()
        self._totals.add(result)
        self._is_counted = True
        self._tell(result)
        if result.end in _BROKEN_OFF_HERE:
            self._say_what_cannot_be_told()
        return result

    def _tell(self, result: ForwardResult) -> None:
        now = anyio.current_time()
        error = self.channel.error
        extra = fields(
            "session-cut" if result.end is ForwardEnd.CHANNEL_FAILED else "session-ended",
            session=self.number,
            mark=self._mark,
            reason=result.end.value,
            code=None if error is None else error.code,
            seconds=round(now - self.began_at, 3),
            bytes_to_peer=result.bytes_to_channel,
            bytes_from_peer=result.bytes_to_socket,
        )
        if result.end is ForwardEnd.CHANNEL_FAILED:
            self._log.warning(
                now, "Session %d (%s) was cut: %s", self.number, self._mark, result, extra=extra
            )
        else:
            logger.info(
                "Closing write end of session: %d (%s, %s)",
                self.number,
                self._mark,
                result,
                extra=extra,
            )

    def _say_what_cannot_be_told(self) -> None:
        """Rust peers have no word for an abort: what broke off here may look whole to them."""
        understood = _UNDERSTOOD.get(self.channel.traits.abort_signal)
        if understood is not None:
            self._log.warning(
                anyio.current_time(),
                "Session %d was broken off here, and its peer cannot be told, unless it is a "
                "nymproxy: %s",
                self.number,
                understood,
                extra=fields("session-end-untold", session=self.number, mark=self._mark),
            )

    def stop(
        self,
        code: ResetCode = ResetCode.SHUTTING_DOWN,
        reason: str = "the proxy is shutting down",
    ) -> None:
        """End the session soon, telling the peer why."""
        if self._forwarding is not None:
            self._forwarding.stop(code, reason)
        else:
            self.channel.abort(code, reason)
            self.starting.cancel()

    def snapshot(self) -> SessionSnapshot:
        """Return what it has done so far."""
        forwarding = self._forwarding
        return SessionSnapshot(
            self.number,
            self.channel.protocol,
            session_name(self.channel),
            anyio.current_time() - self.began_at,
            forwarding.bytes_to_channel if forwarding else 0,
            forwarding.bytes_to_socket if forwarding else 0,
            self._is_counted,
        )
