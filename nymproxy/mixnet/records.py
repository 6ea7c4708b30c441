"""What crosses the seam of the client stack, as plain data: messages, and the fate of sent ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy._arguments import check_number
from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import MessageTooLarge, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.errors import NymError

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Largest payload of one message. The limit is ours; the wire has none."""

DEFAULT_LANE = 0
"""The lane of messages that belong to no channel."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message that arrived.

    Attributes:
        payload: the bytes the sender passed to ``send``.
        sender_tag: the tag to answer to if the sender was anonymous and sent SURBs with the
            message; ``None`` for replies to our own messages and for plain messages.
        given_to: of a reply, whom we gave the reply SURBs to that it came through.
    """

    payload: bytes
    sender_tag: SenderTag | None
    given_to: NymAddress | None = field(default=None, compare=False)


class DeliveryRecord:
    """What has become of one sent message so far: queued, sent, acknowledged, or failed.

    States never go back. ``sent`` means that the message's last packet has left for the gateway,
    ``acknowledged`` that every fragment was acknowledged by the recipient's gateway (which has it;
    the recipient may not have read it). A message can fail in either state.
    """

    __slots__ = ("_listeners", "error", "is_acknowledged", "is_sent", "packet_count")

    def __init__(self, packet_count: int) -> None:
        self.packet_count = packet_count
        """Packets that the message took when it was first split; retransmissions do not count."""
        self.is_sent = False
        self.is_acknowledged = False
        self.error: NymError | None = None
        """Why the message was given up, if it was."""
        self._listeners: list[Callable[[DeliveryRecord], None]] = []

    @property
    def is_settled(self) -> bool:
        """True when no further change can come."""
        return self.is_acknowledged or self.error is not None

    def subscribe(self, listener: Callable[[DeliveryRecord], None]) -> None:
        """Call ``listener(self)`` at every change from now on, synchronously.

        A listener must not block and must not raise. If the delivery is settled already, it is
        called at once. Channels use this: a waiting task for each message would be too dear.
        """
        if self.is_settled:
            listener(self)
        else:
            self._listeners.append(listener)

    def mark_sent(self) -> None:
        """Record that the last packet has left. Idempotent."""
        if not self.is_sent and self.error is None:
            self.is_sent = True
            self._notify()

    def mark_acknowledged(self) -> None:
        """Record that every fragment was acknowledged (implies sent). Idempotent."""
        if not self.is_settled:
            self.is_sent = self.is_acknowledged = True
            self._notify()

    def fail(self, error: NymError) -> None:
        """Record that the message was given up. Ignored once settled."""
        if not self.is_settled:
            self.error = error
            self._notify()

    def _notify(self) -> None:
        for listener in self._listeners:
            listener(self)
        if self.is_settled:
            self._listeners.clear()


def check_bytes(data: object) -> None:
    """Refuse to send what is no bytes; ``bytes(5)`` would be five zeros.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError(f"bytes are sent, not {_kind_of(data)}")


def _kind_of(value: object) -> str:
    return type(value).__name__


def check_message(to: NymAddress | SenderTag, payload: bytes, surbs: int = 0) -> None:
    """Refuse what no transport sends, whatever it knows of the recipient.

    Raises:
        MessageTooLarge: over :data:`MAX_MESSAGE_BYTES`.
        UsageError: an empty reply, SURBs for a reply, or fewer than none; no address or tag, or
            no bytes.
    """
    if not isinstance(to, (NymAddress, SenderTag)):
        raise UsageError(f"a message goes to a NymAddress or a SenderTag, not to {_kind_of(to)}")
    check_bytes(payload)
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(
            f"a message has at most {MAX_MESSAGE_BYTES} bytes, not {len(payload)}: split it"
        )
    if isinstance(to, SenderTag) and (surbs or not payload):
        raise UsageError("a reply has at least one byte, and carries no reply SURBs")
    check_number(surbs, "the number of reply SURBs", whole=True)
