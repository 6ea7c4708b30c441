"""The streams of one client that have ended in order, and whose dialers may not know it yet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from nymproxy.channel.tombstones import WORDS_SECONDS

if TYPE_CHECKING:
    from nymproxy.address import SenderTag
    from nymproxy.stream.nx2.after_end import EndedStream

MAX_ENDED = 1024
ENDED_SECONDS = WORDS_SECONDS


class EndedStreams:
    """Finds them by their id, for six minutes in which the client had its gateway; the oldest go
    first when there are more than 1,024."""

    __slots__ = ("_by_age", "_by_id")

    def __init__(self) -> None:
        self._by_age: deque[EndedStream] = deque()
        self._by_id: dict[int, EndedStream | tuple[EndedStream, ...]] = {}

    def __len__(self) -> int:
        return len(self._by_age)

    def add(self, words: EndedStream, peer: SenderTag, now: float) -> None:
        """Note one.

        Args:
            words: what is left of it.
            peer: the tag that it was answered under last.
            now: connected time.
        """
        words.peer, words.ended_at = peer, now
        self._by_age.append(words)
        others = self.of(words.stream_id)
        self._by_id[words.stream_id] = (*others, words) if others else words
        while len(self._by_age) > MAX_ENDED:
            self._forget_oldest()
        self.expire(now)

    def of(self, stream_id: int) -> list[EndedStream]:
        """Return those with an id, the oldest first."""
        found = self._by_id.get(stream_id, ())
        return list(found) if isinstance(found, tuple) else [found]

    def has(self, peer: SenderTag, stream_id: int) -> bool:
        """Tell whether there is one of a peer."""
        return any(words.peer == peer for words in self.of(stream_id))

    def expire(self, now: float) -> None:
        """Forget those that are too old."""
        while self._by_age and self._by_age[0].ended_at <= now - ENDED_SECONDS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = self._by_age.popleft()
        others = tuple(each for each in self.of(oldest.stream_id) if each is not oldest)
        if others:
            self._by_id[oldest.stream_id] = others
        else:
            del self._by_id[oldest.stream_id]
