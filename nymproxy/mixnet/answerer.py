"""The task that answers requests for reply SURBs."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import NetworkError, SphinxError
from nymproxy.mixnet.traffic import AnswerBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress
    from nymproxy.mixnet.composer import Composer
    from nymproxy.mixnet.traffic import Outbox, OutgoingMessage, SenderTags, SurbPolicy
    from nymproxy.mixnet.transport import Delivery

_logger = logging.getLogger("nymproxy.client")


class SurbAnswerer:
    """Makes the SURBs that recipients of ours ask for, a batch at a time, and queues them.

    Requests from others than those we wrote to are ignored. The budget bounds what is queued here
    and in the outbox for each of them.
    """

    def __init__(
        self,
        composer: Composer,
        outbox: Outbox,
        tags: SenderTags,
        policy: SurbPolicy,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._composer = composer
        self._outbox = outbox
        self._tags = tags
        self._clock = clock
        self._budget = AnswerBudget(policy)
        self._batches: deque[tuple[NymAddress, int]] = deque()
        self._requested = anyio.Event()

    def requested(self, recipient: NymAddress, amount: int) -> None:
        """Take a request."""
        if self._tags.known(recipient) is None:
            _logger.debug("ignored a request for reply SURBs from somebody we never wrote to")
            return
        batches = self._budget.batches(recipient, amount)
        self._batches.extend((recipient, size) for size in batches)
        self._requested.set()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            while self._batches:
                recipient, amount = self._batches.popleft()
                try:
                    await self._answer(recipient, amount)
                except (NetworkError, SphinxError) as error:
                    self._budget.left(recipient, amount)
                    _logger.warning("a request for reply SURBs cannot be answered: %s", error)
            self._requested = anyio.Event()
            await self._requested.wait()

    async def _answer(self, recipient: NymAddress, amount: int) -> None:
        tag = self._tags.tag_for(recipient)
        message, fragments = await self._composer.additional_surbs(recipient, tag, amount)
        _Outstanding(message, self._budget, recipient, amount)
        self._outbox.submit(message, fragments, self._clock())


class _Outstanding:
    """Gives SURBs back to the budget, once, when their message has left or was given up."""

    def __init__(
        self, message: OutgoingMessage, budget: AnswerBudget, recipient: NymAddress, amount: int
    ) -> None:
        self._budget = budget
        self._recipient = recipient
        self._amount = amount
        message.delivery.subscribe(self._changed)

    def _changed(self, _delivery: Delivery) -> None:
        amount, self._amount = self._amount, 0
        if amount:
            self._budget.left(self._recipient, amount)
