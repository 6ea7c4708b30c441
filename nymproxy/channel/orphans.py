"""Segments that came before the OPEN of their channel: kept for a while, within bounds.

Data overtakes its Open in every third dial or so when the Open carries many SURBs, so this is
no rare case.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.channel.segment import Segment, SegmentKind

if TYPE_CHECKING:
    from collections.abc import Hashable

K = TypeVar("K", bound="Hashable")


@dataclass(frozen=True, slots=True)
class OrphanLimits:
    """Bounds: ids, frames and bytes of one id, bytes in all, and age from the first frame."""

    ids: int = 256
    frames_per_id: int = 128
    bytes_per_id: int = 1024 * 1024
    total_bytes: int = 16 * 1024 * 1024
    age_seconds: float = 30.0


@dataclass(slots=True)
class _Group:
    since: float
    size: int = 0
    segments: dict[int, Segment] = field(default_factory=dict)


class Orphans(Generic[K]):
    """Keeps early segments by key, one for each sequence number (the first wins)."""

    def __init__(self, limits: OrphanLimits) -> None:
        self._limits = limits
        self._groups: OrderedDict[K, _Group] = OrderedDict()
        self._total_bytes = 0

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def total_bytes(self) -> int:
        """Payload bytes that are kept."""
        return self._total_bytes

    def frames(self, key: K) -> int:
        """Return how many segments are kept for a key."""
        group = self._groups.get(key)
        return len(group.segments) if group else 0

    def add(self, key: K, segment: Segment, now: float) -> bool:
        """Keep a segment; False: dropped, for want of room or as a duplicate.

        A new id beyond the limit makes the oldest id go; bytes beyond it make the ids with most of
        them go, if these have more than this one: strangers fill it, and honest peers need little.
        """
        self.expire(now)
        limits = self._limits
        size = len(segment.payload)
        group = self._groups.get(key)
        place = segment.sequence
        if segment.kind is SegmentKind.PROTECTED and group is not None:
            place = -1 - len(group.segments)  # what it is, and where, is seen when it is opened
        if group is not None and (
            place in group.segments
            or len(group.segments) >= limits.frames_per_id
            or group.size + size > limits.bytes_per_id
        ):
            return False
        if size > limits.bytes_per_id or not self._make_room(
            size, size + (group.size if group is not None else 0)
        ):
            return False
        if group is None:
            if len(self._groups) >= limits.ids:
                self.remove(next(iter(self._groups)))
            group = self._groups[key] = _Group(now)
        group.segments[place] = segment
        group.size += size
        self._total_bytes += size
        return True

    def _make_room(self, size: int, for_one_with: int) -> bool:
        while self._total_bytes + size > self._limits.total_bytes:
            largest = max(self._groups, key=lambda each: self._groups[each].size, default=None)
            if largest is None or self._groups[largest].size <= for_one_with:
                return False
            self.remove(largest)
        return True

    def take(self, key: K, now: float) -> list[Segment]:
        """Return, and forget, the segments of a key in the order of their arrival."""
        self.expire(now)
        group = self._groups.get(key)
        if group is None:
            return []
        self.remove(key)
        return list(group.segments.values())

    def remove(self, key: K) -> None:
        """Forget a key, if it is known."""
        group = self._groups.pop(key, None)
        if group is not None:
            self._total_bytes -= group.size

    def clear(self) -> None:
        """Forget everything."""
        self._groups.clear()
        self._total_bytes = 0

    def expire(self, now: float) -> None:
        """Forget the ids whose first segment is too old."""
        while self._groups:
            key = next(iter(self._groups))
            if now - self._groups[key].since < self._limits.age_seconds:
                return
            self.remove(key)
