"""The receiving direction alone: what a quirk holds back or lets in, and what a gap keeps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nymproxy.channel import ChannelRules, OrderRules
from nymproxy.channel.inbound import InboundDirection
from nymproxy.channel.quirks import Quirks
from nymproxy.errors import StreamDataLost
from tests.channel.builders import data, fin

if TYPE_CHECKING:
    from nymproxy.channel import Segment


class Held(Quirks):
    """Nothing is released in the first five seconds."""

    holds_until = 5.0


class LetIn(Quirks):
    """The first DATA whose number was passed over is let in."""

    def __init__(self) -> None:
        self.admitted: list[Segment] = []
        self.releases = 0

    def admits(self, segment: Segment) -> bool:
        self.admitted.append(segment)
        return len(self.admitted) == 1

    def released(self) -> None:
        self.releases += 1


def direction(quirks: Quirks, *, first: int = 0) -> InboundDirection:
    return InboundDirection(ChannelRules(order=OrderRules(first_receive_sequence=first)), quirks)


def receive(inbound: InboundDirection, *segments: Segment, now: float = 0.0) -> None:
    for segment in segments:
        assert inbound.receive(segment, now, enforce_window=False) is None


def test_what_is_held_back_is_released_by_the_clock_and_in_order() -> None:
    inbound = direction(Held())
    assert inbound.deadline == math.inf  # nothing waits for it
    receive(inbound, data(1, b"b"), data(0, b"a"), now=1.0)
    assert not inbound.is_readable
    assert inbound.deadline == 5.0
    assert inbound.tick(4.9) is None
    assert not inbound.is_readable
    assert inbound.tick(5.0) is None
    assert inbound.read(10) == b"ab"
    assert inbound.deadline == math.inf


def test_what_comes_after_that_time_is_not_held_and_releases_the_rest() -> None:
    inbound = direction(Held())
    receive(inbound, data(0, b"a"), now=4.0)
    receive(inbound, data(1, b"b"), fin(2), now=6.0)
    assert inbound.read(10) == b"ab"
    assert inbound.has_ended


def test_a_gap_behind_what_is_held_keeps_its_own_time() -> None:
    inbound = direction(Held())
    receive(inbound, data(1, b"b"))
    assert inbound.tick(5.0) is None
    assert inbound.deadline == inbound.gap_timeout_seconds
    failure = inbound.tick(inbound.gap_timeout_seconds)
    assert failure is not None
    assert isinstance(failure.error, StreamDataLost)
    assert not inbound.is_readable


def test_a_number_that_was_passed_over_is_let_in_where_a_quirk_says_so() -> None:
    quirks = LetIn()
    inbound = direction(quirks, first=1)
    receive(inbound, data(0, b"zero "), data(0, b"again "), data(1, b"one"))
    assert inbound.read(10) == b"zero one"
    assert [segment.payload for segment in quirks.admitted] == [b"zero ", b"again "]
    assert (inbound.dropped, quirks.releases) == (2, 1)


def test_messages_behind_a_gap_are_counted_until_it_closes() -> None:
    inbound = direction(Quirks())
    receive(inbound, data(2), data(1), data(2))
    assert (inbound.pending_messages, inbound.dropped, inbound.next_sequence) == (2, 1, 0)
    receive(inbound, data(0))
    assert (inbound.pending_messages, inbound.next_sequence) == (0, 3)


def test_nothing_that_is_discarded_counts_as_waiting() -> None:
    inbound = direction(Quirks())
    receive(inbound, data(0, b"unread"))
    assert inbound.unread_bytes == 6
    inbound.discard()
    assert inbound.unread_bytes == 0
    receive(inbound, data(1, b"later"), fin(2))
    assert inbound.is_discarding
    assert not inbound.is_readable
    assert (inbound.buffered_bytes, inbound.has_dropped_payload) == (0, True)
