"""Putting fragments together again (nym-sphinx-chunking 1.21.6, src/reconstruction.rs; what is
kept and for how long: nym-client-core 1.21.6, src/client/received_buffer.rs), with bounds.

As in Rust, the later of two different fragments for one position wins, and a message comes out with
its last fragment, in whatever order they came. Beyond Rust, everything is bounded, and fragments
that contradict their set, or sets that contradict their neighbours, are refused. Vectors:
tests/vectors/pipeline.json, ``reassembly``.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from nymproxy.mixnet.messages.finished import FinishedFragments
from nymproxy.mixnet.messages.fragments import MAX_FRAGMENTS_PER_SET

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.memory_account import MemoryAccount, MemoryShare
    from nymproxy.mixnet.messages.fragments import Fragment, FragmentSetId

_logger = logging.getLogger("nymproxy.messages")

_FRAGMENT_OVERHEAD = 200
"""Memory of a stored fragment beside its payload; keeps empty fragments from being free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassemblyLimits:
    """The bounds of a :class:`Reassembler`.

    Attributes:
        incomplete_sets: sets kept at once, those that wait for linked sets included.
        stored_bytes: payload of the stored fragments, with 200 bytes more for each.
        idle_seconds: a set is dropped this long after its last fragment.
        prune_interval_seconds: how often ages are looked at.
        finished_fragments: fragments of finished messages that are remembered: the last half of
            them at least. 0: none.
    """

    incomplete_sets: int = 32_768
    stored_bytes: int = 64 * 1024 * 1024
    idle_seconds: float = 30 * 60.0
    prune_interval_seconds: float = 10.0
    finished_fragments: int = 32_768


@dataclass(slots=True)
class ReassemblyCounts:
    """What a :class:`Reassembler` dropped, and why.

    Attributes:
        late_duplicates: fragments of finished messages (their acks were lost).
        overwritten: fragments replaced by a different one for the same position.
        contradicting_fragments: fragments that say another size of their set than the first did.
        contradicting_links: complete sets whose neighbours do not link back, or in a circle.
        displaced_sets: sets dropped to make room.
        expired_sets: sets dropped because of their age.
    """

    late_duplicates: int = 0
    overwritten: int = 0
    contradicting_fragments: int = 0
    contradicting_links: int = 0
    displaced_sets: int = 0
    expired_sets: int = 0


@dataclass(frozen=True, slots=True)
class ReassembledMessage:
    """A complete message.

    Attributes:
        padded: its bytes, padding included.
        set_ids: the sets that it came in, in order.
    """

    padded: bytes = field(repr=False)
    set_ids: tuple[FragmentSetId, ...]


class _ContradictingLinks(Exception):
    """Sets that claim to be neighbours do not agree on it."""


_SetKey: TypeAlias = "tuple[NymAddress | None, FragmentSetId]"


class _FragmentSet:
    """The fragments of one set so far."""

    __slots__ = ("fragments", "given_to", "key", "last_fragment", "set_id", "stored_bytes", "total")

    def __init__(self, first: Fragment, given_to: NymAddress | None) -> None:
        self.key: _SetKey = (given_to, first.set_id)
        self.set_id = first.set_id
        self.given_to = given_to
        self.total = first.total
        self.fragments: dict[int, Fragment] = {}
        self.last_fragment = 0.0
        self.stored_bytes = 0

    @property
    def is_complete(self) -> bool:
        return len(self.fragments) == self.total

    @property
    def previous_set_id(self) -> FragmentSetId | None:
        return self.fragments[1].previous_set_id

    @property
    def next_set_id(self) -> FragmentSetId | None:
        if self.total != MAX_FRAGMENTS_PER_SET:
            return None
        return self.fragments[MAX_FRAGMENTS_PER_SET].next_set_id

    def in_order(self) -> list[Fragment]:
        return [self.fragments[position] for position in range(1, self.total + 1)]


class Reassembler:
    """Collects fragments and returns each message once, when it is complete.

    When a bound is reached, the sets that were fed longest ago make room: their messages are lost,
    because their senders have the acks of what had arrived. Nothing else is ever dropped silently;
    see :attr:`counts`.

    Args:
        limits: see :class:`ReassemblyLimits`.
        memory: where the stored bytes are charged. They take a quarter of it at most.
    """

    def __init__(
        self, limits: ReassemblyLimits | None = None, memory: MemoryAccount | None = None
    ) -> None:
        self.limits = limits or ReassemblyLimits()
        self._maximum_bytes = self.limits.stored_bytes
        self._share: MemoryShare | None = None
        if memory is not None:
            self._maximum_bytes = min(self._maximum_bytes, memory.maximum_bytes // 4)
            self._share = memory.share(None, self._give_back)
        self.counts = ReassemblyCounts()
        # In the order of their last fragments: the first is the first to expire or make room. (A
        # plain dict takes linear time to find its first entry when earlier ones were deleted.)
        self._sets: OrderedDict[_SetKey, _FragmentSet] = OrderedDict()
        self._stored_bytes = 0
        self._logged_displaced_sets = 0
        self._next_prune = float("-inf")
        self._finished = FinishedFragments(self.limits.finished_fragments)

    @property
    def incomplete_sets(self) -> int:
        """The number of sets that are kept."""
        return len(self._sets)

    @property
    def stored_bytes(self) -> int:
        """What counts against ``limits.stored_bytes``."""
        return self._stored_bytes

    def insert(
        self, fragment: Fragment, now: float, given_to: NymAddress | None = None
    ) -> ReassembledMessage | None:
        """Take one fragment.

        Args:
            fragment: as it arrived; duplicates and any order are fine.
            now: monotonic seconds, never less than before.
            given_to: whom the reply SURB was given to that it came through. What came through those
                of different recipients is of different messages.

        Returns:
            The message that this fragment completes, if it does.
        """
        if now >= self._next_prune:
            self.prune(now)
        if fragment in self._finished:
            self.counts.late_duplicates += 1
            return None
        key = (given_to, fragment.set_id)
        fragment_set = self._sets.get(key) or _FragmentSet(fragment, given_to)
        if fragment.total != fragment_set.total:
            self.counts.contradicting_fragments += 1
            return None
        self._store(fragment_set, fragment, now)
        message = self._complete(fragment_set) if fragment_set.is_complete else None
        if message is None:
            self._make_room()
        self._charge()
        return message

    def close(self) -> None:
        """Keep and charge nothing any more: the client has ended. What is left of it may wait for
        the garbage collector while its successor fills tables of its own."""
        self._sets.clear()
        self._stored_bytes = 0
        self._finished = FinishedFragments(0)
        if self._share is not None:
            self._share.close()

    def prune(self, now: float) -> None:
        """Drop what is too old. :meth:`insert` does it from time to time."""
        self._next_prune = now + self.limits.prune_interval_seconds
        expired_before = self.counts.expired_sets
        while self._sets:
            oldest = next(iter(self._sets.values()))
            if now - oldest.last_fragment < self.limits.idle_seconds:
                break
            self._drop(oldest)
            self.counts.expired_sets += 1
        self._charge()
        self._log_losses(self.counts.expired_sets - expired_before)

    def _log_losses(self, expired: int) -> None:
        # Here, and not where sets are displaced, so that a flood of fragments is no flood of logs.
        if expired:
            _logger.info("dropped %d incomplete fragment sets: nothing came for long", expired)
        displaced = self.counts.displaced_sets - self._logged_displaced_sets
        if displaced:
            self._logged_displaced_sets = self.counts.displaced_sets
            _logger.warning("dropped %d incomplete fragment sets to make room", displaced)

    def _store(self, fragment_set: _FragmentSet, fragment: Fragment, now: float) -> None:
        replaced = fragment_set.fragments.get(fragment.position)
        growth = len(fragment.payload) + _FRAGMENT_OVERHEAD
        if replaced is not None:
            growth -= len(replaced.payload) + _FRAGMENT_OVERHEAD
            if replaced != fragment:
                self.counts.overwritten += 1
        key = fragment_set.key
        self._sets[key] = fragment_set
        self._sets.move_to_end(key)
        fragment_set.fragments[fragment.position] = fragment
        fragment_set.last_fragment = now
        fragment_set.stored_bytes += growth
        self._stored_bytes += growth

    def _make_room(self) -> None:
        maximum = self.limits.incomplete_sets
        while len(self._sets) > maximum or self._stored_bytes > self._maximum_bytes:
            self._displace_oldest()

    def _give_back(self) -> None:
        """Drop the older half of what is stored."""
        half = self._stored_bytes // 2
        while self._stored_bytes > half:
            self._displace_oldest()
        self._charge()

    def _displace_oldest(self) -> None:
        self._drop(next(iter(self._sets.values())))
        self.counts.displaced_sets += 1

    def _charge(self) -> None:
        if self._share is not None:
            self._share.hold(self._stored_bytes)

    def _drop(self, fragment_set: _FragmentSet) -> None:
        del self._sets[fragment_set.key]
        self._stored_bytes -= fragment_set.stored_bytes

    def _complete(self, completed: _FragmentSet) -> ReassembledMessage | None:
        try:
            message_sets = self._linked_sets(completed)
        except _ContradictingLinks:
            self.counts.contradicting_links += 1
            self._drop(completed)
            return None
        return None if message_sets is None else self._finish(message_sets)

    def _linked_sets(self, completed: _FragmentSet) -> list[_FragmentSet] | None:
        """Return all sets of the message in order, or None while one is missing or incomplete.

        Raises:
            _ContradictingLinks: neighbours do not agree.
        """
        message_sets = deque([completed])
        seen = {completed.set_id}
        while (previous := message_sets[0].previous_set_id) is not None:
            neighbour = self._sets.get((completed.given_to, previous))
            if neighbour is None or not neighbour.is_complete:
                return None
            if neighbour.next_set_id != message_sets[0].set_id or previous in seen:
                raise _ContradictingLinks
            seen.add(previous)
            message_sets.appendleft(neighbour)
        while (following := message_sets[-1].next_set_id) is not None:
            neighbour = self._sets.get((completed.given_to, following))
            if neighbour is None or not neighbour.is_complete:
                return None
            if neighbour.previous_set_id != message_sets[-1].set_id or following in seen:
                raise _ContradictingLinks
            seen.add(following)
            message_sets.append(neighbour)
        return list(message_sets)

    def _finish(self, message_sets: list[_FragmentSet]) -> ReassembledMessage:
        payloads: list[bytes] = []
        for fragment_set in message_sets:
            self._drop(fragment_set)
            fragments = fragment_set.in_order()
            self._finished.add(fragments)
            payloads.extend(fragment.payload for fragment in fragments)
        set_ids = tuple(fragment_set.set_id for fragment_set in message_sets)
        return ReassembledMessage(b"".join(payloads), set_ids)
