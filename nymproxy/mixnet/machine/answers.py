"""Answers to requests for reply SURBs: made a few SURBs at a time, and queued when complete."""

from __future__ import annotations

import logging
from collections import Counter, deque
from typing import TYPE_CHECKING

from nymproxy.errors import NetworkError, SphinxError
from nymproxy.mixnet.traffic import AnswerBudget

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.mixnet.machine.composer import Composer, SurbDraft
    from nymproxy.mixnet.messages import ReplyKeyStore
    from nymproxy.mixnet.records import DeliveryRecord
    from nymproxy.mixnet.traffic import Outbox, OutgoingMessage, SenderTags, SurbPolicy

_logger = logging.getLogger("nymproxy.client")

REFILL_SURBS = 20
"""As many as with an Open: some to answer with, beyond those that are kept for requests."""


class SurbAnswers:
    """The SURBs that recipients of ours asked for and that have not left yet.

    Requests from others than those we wrote to are ignored. The budget bounds what is queued here
    and in the outbox for each of them.

    Args:
        composer: makes them.
        outbox: takes them.
        tags: knows whom we wrote to.
        policy: limits.
        reply_keys: of the SURBs that were given out.
    """

    def __init__(
        self,
        composer: Composer,
        outbox: Outbox,
        tags: SenderTags,
        policy: SurbPolicy,
        reply_keys: ReplyKeyStore,
    ) -> None:
        self._reply_keys = reply_keys
        self._composer = composer
        self._outbox = outbox
        self._tags = tags
        self._budget = AnswerBudget(policy)
        self._batches: deque[tuple[NymAddress, int]] = deque()
        self._draft: SurbDraft | None = None
        self._held: Counter[NymAddress] = Counter()

    def __bool__(self) -> bool:
        """Tell whether :meth:`advance` has something to do."""
        return bool(self._batches)

    def requested(self, recipient: NymAddress, amount: int, now: float) -> None:
        """Take a request that came through a SURB which this recipient was given."""
        if self._tags.known(recipient) is None:
            _logger.debug("ignored a request for reply SURBs from somebody we never wrote to")
            return
        self._reply_keys.asked_by(recipient)
        batches = self._budget.batches(recipient, amount, self._reply_keys.used_by(recipient), now)
        self._batches.extend((recipient, size) for size in batches)

    def hold(self, recipient: NymAddress) -> None:
        """Take note that a channel goes on with a recipient; :meth:`let_go` must follow."""
        self._held[recipient] += 1

    def let_go(self, recipient: NymAddress) -> None:
        """Take note that a channel that held a recipient is over."""
        self._held[recipient] -= 1
        if not self._held[recipient]:
            del self._held[recipient]

    def rotated(self, rotation_id: int, now: float) -> None:
        """Forget the keys of SURBs that a change of the key rotation has killed.

        A recipient whose SURBs are all dead cannot even ask for others, be it that it or that we
        stood still for several rotations: if a channel goes on with it, it is given some.
        """
        for recipient in self._reply_keys.rotated(rotation_id):
            if recipient in self._held:
                self.requested(recipient, REFILL_SURBS, now)

    def advance(self, now: float) -> None:
        """Do a small piece of the work, if there is any."""
        if not self._batches:
            return
        recipient, amount = self._batches[0]
        try:
            if self._draft is None:
                self._draft = self._composer.draft_surbs(recipient, amount)
            if not self._draft.advance(now):
                return
        except (NetworkError, SphinxError) as error:
            self._budget.left(recipient, amount)
            _logger.warning("a request for reply SURBs cannot be answered: %s", error)
        else:
            tag = self._tags.tag_for(recipient)
            composed = self._composer.additional_surbs(recipient, tag, self._draft.surbs)
            _Outstanding(composed.message, self._budget, recipient, amount)
            self._outbox.submit(*composed, now)
        self._draft = None
        self._batches.popleft()


class _Outstanding:
    """Gives SURBs back to the budget, once, when their message has left or was given up."""

    def __init__(
        self, message: OutgoingMessage, budget: AnswerBudget, recipient: NymAddress, amount: int
    ) -> None:
        self._budget = budget
        self._recipient = recipient
        self._amount = amount
        message.delivery.subscribe(self._changed)

    def _changed(self, _delivery: DeliveryRecord) -> None:
        amount, self._amount = self._amount, 0
        if amount:
            self._budget.left(self._recipient, amount)
