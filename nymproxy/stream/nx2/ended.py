"""The streams of one client that have ended in order, and whose dialers may not know it yet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nymproxy.address import SenderTag
    from nymproxy.stream.nx2.after_end import EndedStream

MAX_ENDED = 1024
ENDED_SECONDS = 600.0


class _Entry(NamedTuple):
    words: EndedStream
    peer: SenderTag
    ended_at: float


class EndedStreams:
    """Finds them by their id, for ten minutes in which the client had its gateway; the oldest go
    first when there are more than 1,024."""

    __slots__ = ("_by_age", "_by_id")

    def __init__(self) -> None:
        self._by_age: deque[_Entry] = deque()
        self._by_id: dict[int, tuple[_Entry, ...]] = {}

    def __len__(self) -> int:
        return len(self._by_age)

    def add(self, words: EndedStream, peer: SenderTag, now: float) -> None:
        """Note one.

        Args:
            words: what is left of it.
            peer: the tag that it was answered under last.
            now: connected time.
        """
        entry = _Entry(words, peer, now)
        self._by_age.append(entry)
        self._by_id[words.stream_id] = (*self._by_id.get(words.stream_id, ()), entry)
        while len(self._by_age) > MAX_ENDED:
            self._forget_oldest()
        self.expire(now)

    def of(self, stream_id: int) -> list[EndedStream]:
        """Return those with an id, the oldest first."""
        return [entry.words for entry in self._by_id.get(stream_id, ())]

    def has(self, peer: SenderTag, stream_id: int) -> bool:
        """Tell whether there is one of a peer."""
        return any(entry.peer == peer for entry in self._by_id.get(stream_id, ()))

    def expire(self, now: float) -> None:
        """Forget those that are too old."""
        while self._by_age and self._by_age[0].ended_at <= now - ENDED_SECONDS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        entry = self._by_age.popleft()
        stream_id = entry.words.stream_id
        others = tuple(each for each in self._by_id[stream_id] if each is not entry)
        if others:
            self._by_id[stream_id] = others
        else:
            del self._by_id[stream_id]
