"""One TCP connection carried over one channel, on either side."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import ResetCode
from nymproxy.forward.forwarder import ForwardEnd, Forwarding, ForwardResult

if TYPE_CHECKING:
    from anyio.abc import ByteStream

    from nymproxy.channel.channel import Channel
    from nymproxy.forward.forwarder import ByteChannel

logger = logging.getLogger("nymproxy.legacy")


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
    """

    number: int
    protocol: str
    session_id: str
    seconds: float
    bytes_to_peer: int
    bytes_from_peer: int


class Session:
    """A running session.

    Args:
        number: names it in the logs, where its id on the wire must not appear.
        channel: to the peer.
    """

    def __init__(self, number: int, channel: Channel) -> None:
        self.number = number
        self.channel = channel
        self.starting = anyio.CancelScope()
        """Around what comes before :meth:`run`; cancelled when the session is stopped then."""
        self._began_at = anyio.current_time()
        self._forwarding: Forwarding | None = None
        logger.info("Starting session: %d (%s)", number, channel.protocol)
        logger.debug("Starting session: %s (number %d)", session_name(channel), number)

    async def run(self, stream: ByteStream, channel: ByteChannel | None = None) -> ForwardResult:
        """Carry a TCP stream; both are closed at the end.

        Args:
            stream: the TCP side.
            channel: what to read and write in place of the channel itself.
        """
        # A legacy peer can only be told an end, so what was accepted goes before it. A stream peer
        # is told that there was an abort.
        flushes = self.channel.protocol == "legacy"
        self._forwarding = Forwarding(stream, channel or self.channel, flush_when_stopped=flushes)
        result = await self._forwarding.run()
        logger.info("Closing write end of session: %d (%s)", self.number, result)
        if result.end is ForwardEnd.CHANNEL_FAILED:
            logger.warning("Session %d was cut: %s", self.number, result)
        return result

    def stop(self) -> None:
        """End the session soon, telling the peer."""
        if self._forwarding is not None:
            self._forwarding.stop()
        else:
            self.channel.abort(ResetCode.SHUTTING_DOWN)
            self.starting.cancel()

    def snapshot(self) -> SessionSnapshot:
        """Return what it has done so far."""
        forwarding = self._forwarding
        return SessionSnapshot(
            self.number,
            self.channel.protocol,
            session_name(self.channel),
            anyio.current_time() - self._began_at,
            forwarding.bytes_to_channel if forwarding else 0,
            forwarding.bytes_to_socket if forwarding else 0,
        )
