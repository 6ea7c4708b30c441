"""What a stream learns of its peer: nothing, no extension, or the extension NX1."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from nymproxy.address import NymAddress
from nymproxy.channel import (
    AbortSignal,
    Capability,
    ChannelId,
    EndSignal,
    PeerMemory,
    Segment,
    SegmentKind,
)
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import FULL_SUPPORT, StreamOptions, StreamTraits
from tests.channel.builders import ADDRESS

ID = ChannelId(1)
PLAIN = Segment(SegmentKind.DATA, ID, payload=b"x")
SHOWING = replace(PLAIN, capabilities=FULL_SUPPORT)
CONTROL = (SegmentKind.FIN, SegmentKind.RESET, SegmentKind.WINDOW, SegmentKind.PROBE)


def flow(peer: StreamTraits) -> bool | None:
    """Asked through a function, so that the type checker does not take the answer for fixed."""
    return peer.flow_control


def dialer(options: StreamOptions | None = None, memory: PeerMemory | None = None) -> StreamTraits:
    return StreamProtocol(options or StreamOptions(), memory or PeerMemory()).dial(ID, ADDRESS)


def acceptor(options: StreamOptions | None = None) -> StreamTraits:
    return StreamProtocol(options or StreamOptions()).answer(PLAIN)


@pytest.mark.parametrize("peer", [dialer(), acceptor()], ids=["dialer", "acceptor"])
def test_no_control_frame_before_the_peer_has_shown_the_extension(peer: StreamTraits) -> None:
    assert not any(peer.may_send(kind) for kind in CONTROL)
    assert not peer.may_send(SegmentKind.HELLO)
    assert not peer.may_send(SegmentKind.PING)
    assert peer.end_signal is EndSignal.EMPTY_DATA
    assert not peer.is_negotiated


def test_an_abort_is_told_to_a_peer_that_has_not_answered_yet_and_not_to_a_plain_one() -> None:
    assert dialer().abort_signal is AbortSignal.RESET
    plain = dialer()
    plain.segment_received(Segment(SegmentKind.DATA, ChannelId(1)))
    assert plain.abort_signal is AbortSignal.NONE
    assert acceptor().abort_signal is AbortSignal.NONE


def test_one_frame_with_the_capability_byte_negotiates() -> None:
    peer = dialer()
    peer.segment_received(SHOWING)
    assert all(peer.may_send(kind) for kind in CONTROL)
    assert peer.end_signal is EndSignal.FIN
    assert peer.abort_signal is AbortSignal.RESET
    assert flow(peer) is True
    assert peer.peer_signals_end


def test_a_peer_that_stops_showing_it_stays_negotiated() -> None:
    peer = dialer()
    peer.segment_received(SHOWING)
    peer.segment_received(PLAIN)
    assert peer.capabilities == FULL_SUPPORT
    assert flow(peer) is True


@pytest.mark.parametrize(
    ("shown", "end", "is_flow"),
    [
        (Capability.END_SIGNALS, EndSignal.FIN, False),
        (Capability.FLOW_CONTROL, EndSignal.EMPTY_DATA, True),
        (Capability.NONE, EndSignal.EMPTY_DATA, False),
    ],
)
def test_only_what_both_know_is_used(shown: Capability, end: EndSignal, is_flow: bool) -> None:
    peer = dialer()
    peer.segment_received(replace(PLAIN, capabilities=shown))
    assert peer.end_signal is end
    assert peer.flow_control is is_flow


def test_without_extensions_nothing_is_shown_or_used() -> None:
    peer = dialer(StreamOptions(extensions=False))
    assert peer.stamp(PLAIN).capabilities is None
    peer.segment_received(SHOWING)
    assert peer.capabilities == Capability.NONE
    assert flow(peer) is False
    assert not any(peer.accepts(kind) for kind in (*CONTROL, SegmentKind.HELLO))
    assert peer.accepts(SegmentKind.PING)
    assert peer.greeting() == (SegmentKind.OPEN_ACK,)


def test_every_frame_shows_our_capabilities_but_upstreams_own() -> None:
    peer = dialer()
    for kind in SegmentKind:
        shown = peer.stamp(Segment(kind, ID)).capabilities
        upstream = kind in {SegmentKind.OPEN_ACK, SegmentKind.PING, SegmentKind.PONG}
        assert shown == (None if upstream else FULL_SUPPORT | Capability.NX2)


def test_compat_eof_can_be_switched_off() -> None:
    assert acceptor(StreamOptions(compat_eof=False)).end_signal is EndSignal.NONE


def test_hello_answers_a_dialer_that_shows_the_extension() -> None:
    peer = acceptor()
    assert peer.greeting() == (SegmentKind.OPEN_ACK,)
    peer.segment_received(SHOWING)
    assert peer.greeting() == (SegmentKind.HELLO,)
    assert peer.may_send(SegmentKind.HELLO)


def test_a_dialer_never_sends_hello() -> None:
    peer = dialer()
    peer.segment_received(SHOWING)
    assert not peer.may_send(SegmentKind.HELLO)


def test_open_ack_can_be_switched_off() -> None:
    assert acceptor(StreamOptions(announce_liveness=False)).greeting() == ()


@pytest.mark.parametrize("kind", [SegmentKind.OPEN_ACK, SegmentKind.PING, SegmentKind.PONG])
def test_pings_go_only_to_peers_that_showed_liveness(kind: SegmentKind) -> None:
    peer = dialer()
    assert not peer.may_send(SegmentKind.PING)
    peer.segment_received(Segment(kind, ID))
    assert peer.may_send(SegmentKind.PING)
    assert not any(peer.may_send(each) for each in CONTROL)


def test_a_dialer_does_not_know_at_first_whether_windows_are_kept() -> None:
    peer = dialer()
    assert flow(peer) is None
    peer.segment_received(PLAIN)
    assert flow(peer) is False


def test_a_silent_peer_is_taken_for_plain_until_it_shows_more() -> None:
    peer = dialer()
    peer.negotiation_timed_out()
    assert flow(peer) is False
    peer.segment_received(SHOWING)
    assert flow(peer) is True


def test_the_verdict_about_an_address_is_remembered() -> None:
    memory = PeerMemory()
    dialer(memory=memory).segment_received(PLAIN)
    assert memory.recall(ADDRESS) == Capability.NONE
    later = dialer(memory=memory)
    assert flow(later) is False  # no pause at the initial window
    later.segment_received(SHOWING)
    assert flow(later) is True
    assert memory.recall(ADDRESS) == FULL_SUPPORT
    assert dialer(memory=memory).flow_control is None


def test_nothing_is_remembered_without_extensions() -> None:
    memory = PeerMemory()
    dialer(StreamOptions(extensions=False), memory).segment_received(PLAIN)
    assert memory.recall(ADDRESS) is None


def test_the_memory_forgets_the_oldest_address() -> None:
    memory = PeerMemory(limit=2)
    addresses = [replace(ADDRESS, encryption=bytes([number]) * 32) for number in range(3)]
    for address in addresses:
        memory.remember(address, Capability.NONE)
    assert [memory.recall(address) for address in addresses] == [None, 0, 0]


def test_open_carries_its_surbs_and_data_replaces_what_was_used() -> None:
    peer = dialer()
    assert peer.surbs(Segment(SegmentKind.OPEN, ID), first=True) == 20
    assert peer.surbs(PLAIN, first=False) == 0
    peer.segment_received(PLAIN)
    assert peer.surbs(PLAIN, first=False) == 1 + 1
    assert peer.surbs(PLAIN, first=False) == 0
    peer.segment_received(replace(PLAIN, payload=bytes(32_000)))
    assert peer.surbs(PLAIN, first=False) == 10  # never more with one frame
    assert peer.surbs(PLAIN, first=False) == 10


def test_control_frames_carry_no_surbs() -> None:
    peer = dialer()
    peer.segment_received(replace(PLAIN, payload=bytes(32_000)))
    assert all(peer.surbs(Segment(kind, ID), first=False) == 0 for kind in CONTROL)


def test_stream_ids_have_64_bits() -> None:
    source = random.Random(1)
    ids = {StreamProtocol().new_channel_id(source.randbytes) for _ in range(100)}
    assert len(ids) == 100
    assert max(ids) >> 60
    assert max(ids) < 1 << 64


def test_an_address_is_not_confused_with_another() -> None:
    memory = PeerMemory()
    other = NymAddress(ADDRESS.identity, bytes([1]) * 32, ADDRESS.gateway)
    memory.remember(ADDRESS, Capability.NONE)
    assert memory.recall(other) is None


def test_hello_and_pings_need_a_reason() -> None:
    answering = acceptor()
    assert not answering.may_send(SegmentKind.HELLO)
    answering.segment_received(SHOWING)
    assert answering.may_send(SegmentKind.HELLO)
    assert not answering.may_send(SegmentKind.PING)
    answering.segment_received(replace(PLAIN, kind=SegmentKind.PING))
    assert answering.may_send(SegmentKind.PING)


@pytest.mark.parametrize("kind", [SegmentKind.OPEN, SegmentKind.DATA, SegmentKind.OPEN_ACK])
def test_what_every_peer_knows_is_always_sent(kind: SegmentKind) -> None:
    assert dialer().may_send(kind)


def test_an_ability_that_is_withheld_is_neither_shown_nor_used() -> None:
    options = StreamOptions()
    peer = dialer(options)
    assert peer.stamp(PLAIN).capabilities == FULL_SUPPORT | Capability.NX2
    peer.segment_received(replace(PLAIN, capabilities=FULL_SUPPORT | Capability.NX2))
    assert not peer.is_known_without(Capability.NX2)
    peer.withhold(Capability.NX2)
    peer.withhold(Capability.FLOW_CONTROL)
    assert peer.stamp(PLAIN).capabilities == Capability.END_SIGNALS
    assert peer.capabilities == Capability.END_SIGNALS
    assert flow(peer) is False


def test_without_extensions_there_is_nothing_to_withhold() -> None:
    peer = dialer(StreamOptions(extensions=False))
    peer.withhold(Capability.NX2)
    assert peer.stamp(PLAIN) == PLAIN
    assert peer.is_known_without(Capability.NX2)


def test_what_an_address_has_shown_before_is_known_of_its_next_stream() -> None:
    memory = PeerMemory()
    assert not dialer(memory=memory).is_known_without(Capability.NX2)  # nothing is known
    dialer(memory=memory).segment_received(SHOWING)
    assert dialer(memory=memory).is_known_without(Capability.NX2)
    assert not dialer(memory=memory).is_known_without(Capability.FLOW_CONTROL)
