"""The sending direction alone: empty messages of quirks, copies of an end, used-up numbers."""

from __future__ import annotations

import math

from nymproxy.channel import ChannelRules, EndSignal, PeerTraits, SegmentKind
from nymproxy.channel.outbound import OutboundDirection
from nymproxy.channel.quirks import Quirks
from nymproxy.channel.sending import Sending
from tests.channel.builders import ID


class Peer(PeerTraits):
    """A peer whose traits a test sets."""

    repeats_after: float | None = None
    last_index: int | None = None

    def __init__(self) -> None:
        super().__init__(ChannelRules(has_open=False))

    @property
    def end_signal(self) -> EndSignal:
        return EndSignal.FIN

    @property
    def repeat_end_after_seconds(self) -> float | None:
        return self.repeats_after

    @property
    def last_send_index(self) -> int | None:
        return self.last_index


class Nudges(Quirks):
    """Empty messages every two seconds, the first at 3, until stopped or four were sent."""

    def __init__(self) -> None:
        self.empty_at = 3.0
        self.sent_at: list[float] = []
        self.stops = 0

    @property
    def awaits_more(self) -> bool:
        return self.empty_at < math.inf

    def empty_sent(self, now: float) -> None:
        self.sent_at.append(now)
        self.empty_at = now + 2.0 if len(self.sent_at) < 4 else math.inf

    def stop(self) -> None:
        self.stops += 1
        self.empty_at = math.inf


def direction(peer: Peer, quirks: Quirks | None = None) -> OutboundDirection:
    return OutboundDirection(ID, peer, quirks or Quirks(), is_dialer=False)


def leave(outbound: OutboundDirection, now: float) -> list[tuple[SegmentKind, int, int | None]]:
    """Take what is due, and let each leave; returns kind, number and index."""
    taken = []
    while (numbered := outbound.take(now)) is not None:
        if numbered.index is not None:
            outbound.sent(numbered.index, now)
        taken.append((numbered.segment.kind, numbered.segment.sequence, numbered.index))
    return taken


DATA, FIN = SegmentKind.DATA, SegmentKind.FIN


def test_empty_messages_of_a_quirk_take_numbers_before_and_after_the_end() -> None:
    quirks = Nudges()
    outbound = direction(Peer(), quirks)
    assert outbound.next_at(0.0) == 3.0
    assert leave(outbound, 2.9) == []
    assert leave(outbound, 3.0) == [(DATA, 0, 0)]
    outbound.request_end()
    assert leave(outbound, 4.0) == [(FIN, 1, 1)]
    assert outbound.next_at(4.0) == 5.0
    assert [leave(outbound, at) for at in (5.0, 7.0, 9.0)] == [
        [(DATA, number, number)] for number in (2, 3, 4)
    ]
    assert quirks.sent_at == [3.0, 5.0, 7.0, 9.0]
    assert not outbound.awaits_more
    assert leave(outbound, 99.0) == []


def test_the_second_copy_of_an_end_is_the_first_one_again() -> None:
    peer = Peer()
    peer.repeats_after = 2.0
    outbound = direction(peer)
    outbound.request_end()
    assert leave(outbound, 1.0) == [(FIN, 0, 0)]
    assert outbound.next_at(1.0) == 3.0
    assert leave(outbound, 3.0) == [(FIN, 0, None)]
    assert not outbound.awaits_more


def test_a_peer_that_has_shown_to_need_none_gets_no_second_copy() -> None:
    peer = Peer()
    peer.repeats_after = 2.0
    outbound = direction(peer)
    outbound.request_end()
    leave(outbound, 1.0)
    peer.repeats_after = None
    assert leave(outbound, 3.0) == []
    assert not outbound.awaits_more


def test_the_last_number_is_kept_for_the_end() -> None:
    peer, quirks = Peer(), Nudges()
    peer.last_index = 1
    outbound = direction(peer, quirks)
    outbound.write(b"x")
    assert leave(outbound, 0.0) == [(DATA, 0, 0)]
    assert leave(outbound, 3.0) == []  # a nudge was due, and would take it
    assert quirks.stops == 1
    outbound.write(b"y")
    assert outbound.is_out_of_numbers
    assert leave(outbound, 3.0) == []
    end = outbound.take_aborting_end(3.0)
    assert (end.segment.kind, end.segment.sequence) == (FIN, 1)
    assert outbound.state is Sending.TOLD


def test_an_aborting_end_is_held_up_by_nothing() -> None:
    outbound = direction(Peer())
    outbound.is_held = True
    outbound.write(b"x")
    assert leave(outbound, 0.0) == []
    outbound.abandon()
    end = outbound.take_aborting_end(0.0)
    assert (end.segment.kind, end.segment.sequence, end.segment.payload) == (FIN, 0, b"")
    assert outbound.unsent_bytes == 0


def test_a_ceiling_of_our_own_holds_until_more_is_known_of_the_peer() -> None:
    outbound = direction(Peer())
    outbound.window.ceiling = 4
    was_at_it = [outbound.is_at_ceiling]  # nothing waits
    outbound.write(b"abcdef")
    first = outbound.take(0.0)
    assert first is not None
    assert first.segment.payload == b"abcd"
    was_at_it.append(outbound.is_at_ceiling)
    assert outbound.next_at(1.0) == math.inf
    outbound.window.ceiling = None
    was_at_it.append(outbound.is_at_ceiling)
    assert was_at_it == [False, True, False]
    rest = outbound.take(1.0)
    assert rest is not None
    assert rest.segment.payload == b"ef"


def test_the_link_below_may_want_smaller_messages() -> None:
    outbound = direction(Peer())
    outbound.max_payload_bytes = 4
    outbound.write(b"0123456789")
    outbound.request_end()
    sizes = []
    while (numbered := outbound.take(0.0)) is not None:
        sizes.append(len(numbered.segment.payload))
        outbound.sent(len(sizes) - 1, 0.0)
    assert sizes == [4, 4, 2, 0]
