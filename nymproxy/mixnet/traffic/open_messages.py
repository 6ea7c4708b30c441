"""The messages that were accepted and are neither acknowledged nor given up, by lane."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.errors import NymError
    from nymproxy.mixnet.traffic.outgoing import Lane, OutgoingMessage


class OpenMessages:
    """What an outbox still has to do with.

    Attributes:
        given_up: messages that were given up, by the code of the error.
    """

    def __init__(self) -> None:
        self._by_lane: dict[Lane, dict[OutgoingMessage, None]] = {}
        self.given_up: Counter[str] = Counter()

    def add(self, message: OutgoingMessage) -> None:
        """Take a message."""
        self._by_lane.setdefault(message.lane, {})[message] = None

    def of_lane(self, lane: Lane) -> list[OutgoingMessage]:
        """Return those of a lane, in their order."""
        return list(self._by_lane.get(lane, ()))

    def settle(self, message: OutgoingMessage) -> None:
        """Forget a message with which nothing is left to do. Idempotent."""
        messages = self._by_lane.get(message.lane)
        if messages is not None:
            messages.pop(message, None)
            if not messages:
                del self._by_lane[message.lane]

    def give_up(self, message: OutgoingMessage, error: NymError) -> None:
        """Fail one; its fragments are dropped where they are met."""
        if not message.delivery.is_settled:
            self.given_up[error.code] += 1
        self.settle(message)
        message.give_up(error)

    def give_up_all(self, error: NymError) -> None:
        """Fail all, because the client ends."""
        for message in list(chain.from_iterable(self._by_lane.values())):
            self.give_up(message, error)
