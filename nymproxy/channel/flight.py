"""Which of a channel's numbered messages are on their way: sent, acknowledged, how far ahead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Message:
    size: int
    is_sent: bool = False


class Flight:
    """Messages that are not acknowledged, by index (0, 1, ... without wrapping).

    A receiver skips data when too much waits behind a missing message, acknowledged or not, so
    what counts is the distance from the oldest unacknowledged one.
    """

    def __init__(self) -> None:
        self._messages: dict[int, _Message] = {}  # in the order of the indexes
        self.unsent_messages = 0
        """Messages whose last packet has not left."""
        self.unsent_bytes = 0
        """Payload bytes of them."""
        self.acknowledged_bytes = 0
        """Payload bytes that have arrived at the peer's gateway."""

    @property
    def is_empty(self) -> bool:
        """True when every message was acknowledged."""
        return not self._messages

    def ahead(self, index: int) -> int:
        """Return how far ``index`` is ahead of the oldest unacknowledged message, else 0."""
        oldest = next(iter(self._messages), index)
        return index - oldest

    def add(self, index: int, size: int) -> None:
        """Note a message that is being handed over."""
        self._messages[index] = _Message(size)
        self.unsent_messages += 1
        self.unsent_bytes += size

    def sent(self, index: int) -> bool:
        """Note that its last packet has left; False if that was known."""
        message = self._messages.get(index)
        if message is None or message.is_sent:
            return False
        message.is_sent = True
        self.unsent_messages -= 1
        self.unsent_bytes -= message.size
        return True

    def acknowledged(self, index: int) -> bool:
        """Note that all of it was acknowledged; False if that was known."""
        if index not in self._messages:
            return False
        self.sent(index)
        self.acknowledged_bytes += self._messages.pop(index).size
        return True
