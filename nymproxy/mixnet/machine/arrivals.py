"""What follows from each thing that a gateway has pushed, once the decoder has opened it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.mixnet.messages import (
    AckReceived,
    MessageReceived,
    ReplyPacketReceived,
    SurbsReceived,
    SurbsRequested,
)
from nymproxy.mixnet.records import Received

if TYPE_CHECKING:
    from nymproxy.mixnet.machine.answers import SurbAnswers
    from nymproxy.mixnet.machine.batches import BatchBuilder
    from nymproxy.mixnet.machine.inbox import Inbox
    from nymproxy.mixnet.machine.status import Tally
    from nymproxy.mixnet.messages import InboundEvent
    from nymproxy.mixnet.traffic import Outbox


class Arrivals:
    """Takes events to the parts of a client that they concern.

    Args:
        inbox: for messages of peers.
        outbox: for SURBs of peers.
        answers: for those who want SURBs of ours.
        batches: for acks.
        tally: counts them.
    """

    def __init__(
        self,
        inbox: Inbox,
        outbox: Outbox,
        answers: SurbAnswers,
        batches: BatchBuilder,
        tally: Tally,
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._answers = answers
        self._batches = batches
        self._tally = tally

    def take(self, event: InboundEvent, now: float) -> None:
        """Take one."""
        match event:
            case AckReceived(fragment_id):
                self._tally.acknowledged += 1
                self._batches.acknowledged(fragment_id, now)
            case ReplyPacketReceived(given_to):
                self._batches.reply_came(given_to, now)
            case SurbsReceived(tag, surbs, additional):
                self._outbox.surbs_received(tag, surbs, now, additional=additional)
            case SurbsRequested(recipient, amount, given_to):
                # Else somebody asks in another one's name.
                if given_to is not None and recipient.is_where(given_to):
                    self._answers.requested(given_to, amount, now)
            case MessageReceived(data, tag, given_to):  # pragma: no branch - the last kind there is
                self._tally.messages_received += 1
                self._tally.bytes_received += len(data)
                if tag is not None:
                    self._outbox.sender_seen(tag, now)
                self._inbox.put(Received(data, tag, given_to))
