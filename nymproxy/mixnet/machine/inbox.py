"""Messages that arrived and were not taken yet, and for how long the gateway went unread."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy.address import NymAddress
    from nymproxy.memory_account import MemoryShare
    from nymproxy.mixnet.records import Received

MAXIMUM_MESSAGES: Final = 1024
MAXIMUM_BYTES: Final = 32 * 1024 * 1024


class Inbox:
    """Bounded in messages and bytes. Whoever fills it asks :attr:`is_full` before, and stops
    reading the gateway meanwhile; one message of any size fits an inbox that is not full.

    Args:
        share: where the messages are charged.
    """

    __slots__ = ("_answers", "_bytes", "_messages", "_share", "_was_expected")

    def __init__(self, share: MemoryShare | None = None) -> None:
        self._share = share
        self._messages: deque[Received] = deque()
        self._answers: dict[bytes, tuple[NymAddress, Callable[[], None]]] = {}
        self._bytes = 0
        self._was_expected = False

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def newest(self) -> Received | None:
        """The message that was put last; ``None``: it was expected by somebody else."""
        return None if self._was_expected else self._messages[-1]

    @property
    def is_full(self) -> bool:
        """True while nothing more should be read."""
        return len(self._messages) >= MAXIMUM_MESSAGES or self._bytes >= MAXIMUM_BYTES

    @contextmanager
    def expecting(
        self, beginning: bytes, by: NymAddress, on_answer: Callable[[], None]
    ) -> Iterator[None]:
        """For the time of the block, hand replies to somebody else than the application.

        Args:
            beginning: the first bytes of the replies that are meant.
            by: through whose reply SURBs they come: others could have been told how to answer.
            on_answer: called with each of them.
        """
        self._answers[beginning] = by, on_answer
        try:
            yield
        finally:
            del self._answers[beginning]

    def put(self, message: Received) -> None:
        """Add a message, unless it is a reply that somebody else expects."""
        expecting = [
            on_answer
            for beginning, (by, on_answer) in self._answers.items()
            if message.given_to == by and message.payload.startswith(beginning)
        ]
        self._was_expected = bool(expecting)
        if expecting:
            expecting[0]()
            return
        self._messages.append(message)
        self._bytes += len(message.payload)
        self._charge()

    def take(self) -> Received | None:
        """Take the oldest message, or ``None``."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._bytes -= len(message.payload)
        self._charge()
        return message

    def close(self) -> None:
        """Charge nothing any more: what is in it may still be taken."""
        if self._share is not None:
            self._share.close()

    def _charge(self) -> None:
        if self._share is not None:
            self._share.hold(self._bytes)


class ReadingStall:
    """For how long acks could not be read, because the application did not take its messages.

    Timers that fire meanwhile say nothing about losses. But not for ever: an application that
    waits for its sends before it takes its messages needs the timers to go on.
    """

    _RECENT_SECONDS: Final = 1.0
    _MAXIMUM_SECONDS: Final = 10.0

    __slots__ = ("_blocked_at", "_last_seconds", "_unblocked_at")

    def __init__(self) -> None:
        self._blocked_at: float | None = None
        self._unblocked_at = float("-inf")
        self._last_seconds = 0.0

    def paused(self, now: float) -> None:
        """Record that the gateway is not read any more."""
        if self._blocked_at is None:
            self._blocked_at = now

    def resumed(self, now: float) -> None:
        """Record that it is read again."""
        if self._blocked_at is not None:
            self._last_seconds = now - self._blocked_at
            self._blocked_at = None
            self._unblocked_at = now

    def seconds(self, now: float) -> float:
        """Return how long it was up to now; shortly after a stall it still counts, as its acks
        are being read. 0 once it has lasted too long."""
        if self._blocked_at is not None:
            stall = now - self._blocked_at
        elif now - self._unblocked_at < self._RECENT_SECONDS:
            stall = now - self._unblocked_at + self._last_seconds
        else:
            stall = 0.0
        return stall if stall <= self._MAXIMUM_SECONDS else 0.0
