"""Acks that are awaited: a timer for each packet in flight, and how long it should run.

A packet's own delays are known to whoever drew them, so what a timer has to allow for is the
excess: queues, links, scheduling, and the delays in reply SURBs. It is measured. Until it is, the
timers are those of nym-client-core 1.21.6, src/client/real_messages_control/
acknowledgement_control: 1.5 times the delays plus 1.5 s. Back-off and a limit are ours.

A timer has a minimum for the sake of what nobody has measured yet. It falls when a packet is
acknowledged that was due later: then the first one is late for no common reason (as in RACK,
RFC 8985, but by the moments at which acks are due instead of those of sending). Through the SURBs
of a peer that has not been measured itself it stays: its delays may be longer than any before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from nymproxy._timers import TimeHeap
from nymproxy.mixnet.traffic.excess import Excesses

if TYPE_CHECKING:
    from nymproxy.mixnet.traffic.outgoing import OutgoingFragment
    from nymproxy.mixnet.traffic.profile import TrafficProfile

_CLEAN_ABOVE: Final = 256
_REORDERED_SECONDS: Final = 0.02
"""Acks that were due at moments closer than this may change places, whatever was measured."""


class PendingAcks:
    """The fragments whose ack is awaited, by fragment id, with a heap of timer deadlines.

    A fragment is tracked from when its first packet is handed to the gateway connection until its
    ack comes or it is forgotten; also while it waits for its retransmission, so that a late ack
    still counts and spares the retransmission.
    """

    __slots__ = ("_by_id", "_due", "_heap", "_measured_from", "_newest_due", "_profile", "excess")

    def __init__(self, profile: TrafficProfile) -> None:
        self._profile = profile
        self._by_id: dict[bytes, OutgoingFragment] = {}
        self._heap: TimeHeap[OutgoingFragment] = TimeHeap()
        self._due: TimeHeap[OutgoingFragment] = TimeHeap()
        self._newest_due = -math.inf
        self._measured_from = -math.inf
        self.excess = Excesses(profile)

    def __len__(self) -> int:
        return len(self._by_id)

    def track(self, fragment: OutgoingFragment) -> None:
        """Accept acks of a fragment from now on; its timer does not run yet.

        An ack that comes before the timer starts proves no delay: it may be that of the packet
        that is just being written, or of an earlier one.
        """
        fragment.sent_at = None
        self._by_id[fragment.fragment_id] = fragment

    def start(self, fragment: OutgoingFragment, sent_at: float) -> None:
        """Start the timer of a fragment whose packet has left."""
        profile = self._profile
        wait = self._first_wait(fragment)
        if fragment.retransmissions:
            wait *= profile.retransmission_backoff**fragment.retransmissions
        fragment.sent_at = sent_at
        fragment.in_flight = True
        self._schedule(fragment, sent_at + min(wait, profile.maximum_ack_wait_seconds))
        self._due.push(sent_at + fragment.expected_seconds, fragment)
        if len(self._due) > _CLEAN_ABOVE and len(self._due) > 2 * len(self._by_id):
            self._list_due()

    def _list_due(self) -> None:
        """Write down anew what is awaited when: nothing that nobody waits for any more, but what
        was passed over while too little was measured."""
        self._due.clear()
        for fragment in self._by_id.values():
            if fragment.in_flight and fragment.sent_at is not None:
                self._due.push(fragment.sent_at + fragment.expected_seconds, fragment)

    def _first_wait(self, fragment: OutgoingFragment) -> float:
        """Return how long the timer of a packet runs without back-off."""
        profile = self._profile
        excess = self.excess.of(fragment.message.to)
        wait = fragment.expected_seconds + excess.seconds
        if excess.samples < profile.ack_wait_samples:
            own_delays = fragment.expected_seconds * profile.ack_wait_multiplier
            wait = own_delays + profile.ack_wait_addition_seconds + excess.seconds
        return max(wait, profile.minimum_ack_wait_seconds)

    def acknowledge(self, fragment_id: bytes, now: float) -> OutgoingFragment | None:
        """Take the fragment of an ack out, or return ``None`` for an unknown id.

        The caller looks at ``in_flight`` (unchanged) to know whether the window counted it.
        """
        fragment = self._by_id.pop(fragment_id, None)
        if fragment is None:
            return None
        sent_once = fragment.retransmissions == 0 or (
            # Taken for lost and queued again, but not sent again yet: the ack is the first one's.
            fragment.retransmissions == 1 and not fragment.in_flight
        )
        # From a certain moment on it may be the ack of a copy, which proves nothing.
        sent_at = fragment.sent_at
        if (
            sent_at is not None
            and self._measured_from <= sent_at
            and now < fragment.copy_acked_from
        ):
            self._measure(fragment, now, sent_once=sent_once)
            if sent_once:
                self._came(sent_at + fragment.expected_seconds, now)
        return fragment

    def _measure(self, fragment: OutgoingFragment, now: float, *, sent_once: bool) -> None:
        to, seconds = fragment.message.to, fragment.excess_seconds(now)
        was_measured = self.excess.is_measured(to)
        if sent_once:
            self.excess.measured(to, seconds)
        else:
            self.excess.at_least(to, seconds)
        if not was_measured and self.excess.is_measured(to):
            self._list_due()

    def measure_from(self, now: float) -> None:
        """Measure the acks of what leaves from now on only: those of before had to wait for us."""
        self._measured_from = now

    def hasten(self, now: float) -> None:
        """Let no timer run for longer than it would have without back-off: the way is open again.
        What left longer ago is sent again almost at once; acks that were kept are read before."""
        for fragment in self._by_id.values():
            if fragment.in_flight and fragment.sent_at is not None:
                earliest = now + self._profile.minimum_ack_wait_seconds
                deadline = max(earliest, fragment.sent_at + self._first_wait(fragment))
                if deadline < fragment.deadline:
                    self._schedule(fragment, deadline)

    def _came(self, due: float, now: float) -> None:
        """Take note that an ack has come that was due at a time: the timers of those that were due
        well before it end when the measured excess does, without a minimum."""
        self._newest_due = max(self._newest_due, due)
        while self._due.next_time < self._newest_due - _REORDERED_SECONDS:
            due, fragment = self._due.pop()
            if fragment.sent_at is None or due != fragment.sent_at + fragment.expected_seconds:
                continue  # it has left once more since
            to = fragment.message.to
            if not self.excess.is_measured(to):
                continue
            deadline = max(now, due + self.excess.of(to).seconds)
            if deadline < fragment.deadline and self._is_live(fragment.deadline, fragment):
                self._schedule(fragment, deadline)

    def forget(self, fragment: OutgoingFragment) -> None:
        """Stop waiting for a fragment's ack."""
        self._by_id.pop(fragment.fragment_id, None)

    def next_deadline(self) -> float | None:
        """Return when the earliest timer fires, or ``None`` if none runs."""
        heap = self._heap
        while len(heap):
            if self._is_live(heap.next_time, heap.first):
                return heap.next_time
            heap.pop()
        return None

    def expire(self, now: float, stalled_seconds: float = 0.0) -> list[OutgoingFragment]:
        """Return the fragments whose timer fired: each is in flight no more.

        Args:
            now: the clock.
            stalled_seconds: for how long up to now acks could not be read (the process was not
                scheduled, the application did not take its messages). Timers that fired only
                because of that start again for the same time, since their acks may be waiting.
        """
        expired = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            fragment = self._heap.pop()[1]
            if stalled_seconds > 0 and deadline > now - stalled_seconds:
                self._schedule(fragment, now + min(stalled_seconds, 1.0))
                continue
            if (measured := self._measured_deadline(fragment)) > now:
                self._schedule(fragment, measured)
                continue
            fragment.in_flight = False
            expired.append(fragment)
        return expired

    def _measured_deadline(self, fragment: OutgoingFragment) -> float:
        """Return when a timer ends by what is measured now. The first acks of a burst are those of
        its fastest packets: what the others take is known when they have come, too."""
        assert fragment.sent_at is not None
        return (
            fragment.sent_at
            + fragment.expected_seconds
            + self.excess.of(fragment.message.to).seconds
        )

    def _schedule(self, fragment: OutgoingFragment, deadline: float) -> None:
        fragment.deadline = deadline
        self._heap.push(deadline, fragment)

    def _is_live(self, deadline: float, fragment: OutgoingFragment) -> bool:
        return (
            fragment.in_flight
            and fragment.deadline == deadline
            and self._by_id.get(fragment.fragment_id) is fragment
        )
