"""Who is asked, who is answered, and whose streams are ended, over all streams of one client."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nymproxy.address import NymAddress, SenderTag
from nymproxy.channel import PeerMemory, Segment, SegmentKind
from nymproxy.channel.link import ChannelLink, LinkContext
from nymproxy.channel.machine import ChannelMachine
from nymproxy.channel.segment import ChannelId
from nymproxy.errors import (
    ChannelFormatError,
    ResetCode,
    StreamDataLost,
    StreamPeerLost,
)
from nymproxy.stream.codec import MessageType, StreamCodec
from nymproxy.stream.nx2.after_end import EndedStream
from nymproxy.stream.nx2.ended import ENDED_SECONDS, MAX_ENDED
from nymproxy.stream.nx2.frames import Accept, Alive, Ask, Offer
from nymproxy.stream.nx2.liveness import (
    ALIVE_PAUSE_SECONDS,
    Answerer,
    Asker,
    read_ask,
    write_alive,
)
from nymproxy.stream.nx2.peers import (
    MAX_RETIRED,
    MAX_STRAYS,
    PeerWatch,
)
from nymproxy.stream.nx2.receipts import Receipts
from nymproxy.stream.nx2.roundtrip import RoundTrip
from nymproxy.stream.nx2.sealer import AcceptorSealer
from nymproxy.stream.traits import StreamOptions, StreamTraits
from tests.stream.nx2.builders import ADDRESS
from tests.stream.nx2.test_links import SENDER, Pair, type_of
from tests.stream.nx2.test_opening import deliver, flipped

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER_ADDRESS = replace(ADDRESS, encryption=b"o" * 32)
DEAD_SECONDS = 100.0


def watch(seed: int = 1, is_connected: Callable[[], bool] = lambda: True) -> PeerWatch:
    source = random.Random(seed)
    return PeerWatch(
        LinkContext(
            (ADDRESS,),
            lambda tag: ADDRESS,
            lambda to: SENDER,
            lambda to: 0,
            source.randbytes,
            lambda: 0.0,
            is_connected,
            lambda address: math.inf,
            False,
        )
    )


class Link(ChannelLink):
    """A link without frames, of which the same is left as of a sealed one."""

    def last_words(self) -> EndedStream:
        stream_id = int(self.machine.channel_id)
        sealer = AcceptorSealer(stream_id, SENDER, ADDRESS, Offer(0, bytes(32)), Accept(bytes(32)))
        receipts = Receipts(RoundTrip(), is_dialer=False)
        return EndedStream(
            sealer, receipts, 0, may_say_farewell=False, has_failed=False, awaits_seal=False
        )


def link(stream_id: int) -> ChannelLink:
    traits = StreamTraits(StreamOptions(), None, PeerMemory())
    machine = ChannelMachine(ChannelId(stream_id), traits, is_dialer=False, now=0.0)
    return Link(machine, StreamCodec())


def ask_of(*stream_ids: int, number: int = 1, tag: SenderTag = SENDER, now: float = 0.0) -> bytes:
    """The ``number``th ASK of a dialer with these streams."""
    asker = Asker(tag, ADDRESS, random.Random(number).randbytes, now)
    asker._number = number - 1
    for stream_id in stream_ids:
        asker.add_stream(stream_id, now)
    asker.ask_now(now)
    ask = asker.take_due(now)
    assert ask is not None
    return ask


def answer(watched: PeerWatch, ask: bytes, now: float) -> tuple[bool, ...]:
    """Ask, and return what the answer says of each stream."""
    watched.frame_received(ask, SENDER, None, now)
    (stray,) = watched.take_strays(now)
    assert stray.to == SENDER
    return Alive.decode(0, stray.payload[16:-16]).has_stream


def live_on(watched: PeerWatch, peer: SenderTag, heard: ChannelLink, now: float) -> None:
    """Let ten seconds pass up to now, of which the process slept none, and a stream be heard."""
    while watched.next_deadline(now - 10.0) < now:
        watched.take_strays(now - 10.0)
        watched.verified(peer, heard, now - 10.0)
    watched.tick(now)
    watched.verified(peer, heard, now)


def run_until(watched: PeerWatch, now: float, until: float) -> float:
    """Let time pass, of which the process sleeps none; returns the time then."""
    while now < until:
        now = min(watched.next_deadline(now), until)
        watched.tick(now)
        watched.take_strays(now)
    return now


def first_asks(watched: PeerWatch, peer: NymAddress) -> tuple[list[Ask], float]:
    """Wait until a peer is asked; returns the question, and when that is."""
    now, asks = 0.0, list[Ask]()
    while not asks and now < DEAD_SECONDS:
        now = watched.next_deadline(now)
        asks = asks_to(watched, peer, now)
    return asks, now


def asks_to(watched: PeerWatch, peer: NymAddress, now: float) -> list[Ask]:
    return [
        read_ask(stray.payload, SENDER, peer)
        for stray in watched.take_strays(now)
        if stray.to == peer
    ]


def alive(ask: Ask, peer: NymAddress, *lost: int) -> bytes:
    has = tuple(stream_id not in lost for stream_id in ask.stream_ids)
    return write_alive(ask, has, SENDER, peer)


# The acceptor.


def test_streams_that_ended_in_order_are_known_for_six_minutes_and_failed_ones_are_not() -> None:
    watched, live, ended, failed = watch(), link(1), link(2), link(3)
    for each in (live, ended, failed):
        watched.verified(SENDER, each, 0.0)
    failed.machine.fail(StreamDataLost("lost"), ResetCode.DATA_LOST)
    watched.removed(SENDER, ended)
    watched.removed(SENDER, failed)
    watched.next_deadline(0.0)
    assert answer(watched, ask_of(1, 2, 3, 4), 0.0) == (True, True, False, False)
    now = 0.0
    while now < ENDED_SECONDS:
        now += 10.0
        live_on(watched, SENDER, live, now)
    assert answer(watched, ask_of(1, 2, number=2), now) == (True, False)


def test_of_ended_streams_only_the_last_ones_are_remembered() -> None:
    watched = watch()
    for stream_id in range(MAX_ENDED + 1):
        each = link(stream_id)
        watched.verified(SENDER, each, 0.0)
        watched.removed(SENDER, each)
    assert answer(watched, ask_of(0, 1, MAX_ENDED), 0.0) == (False, True, True)


def test_an_outage_that_nothing_else_shows_is_seen_and_does_not_count() -> None:
    """Nothing was due at an idle acceptor for 100 s, and then its dialer was dead."""
    now, returns_at = 0.0, 400.0
    watched, each = watch(is_connected=lambda: not 1.0 < now < returns_at), link(1)
    watched.verified(SENDER, each, 0.0)
    while not watched.take_changed():
        now = watched.next_deadline(now)
        watched.tick(now)
    assert returns_at + 0.85 * DEAD_SECONDS < now < returns_at + 1.05 * DEAD_SECONDS


def test_a_stream_that_its_dialer_does_not_name_any_more_is_over() -> None:
    watched, named, unnamed = watch(), link(1), link(2)
    for each in (named, unnamed):
        watched.verified(SENDER, each, 0.0)
    now = 0.0
    for number in range(1, 7):
        assert watched.take_changed() == []
        now = run_until(watched, now, now + 20.0)
        answer(watched, ask_of(1, number=number), now)
    assert watched.take_changed() == [unnamed]
    assert isinstance(unnamed.machine.error, StreamPeerLost)
    assert named.machine.error is None


def test_one_answer_in_two_seconds_and_none_to_a_copy() -> None:
    watched = watch()
    watched.verified(SENDER, link(1), 0.0)
    assert answer(watched, ask_of(1, number=1), 0.0) == (True,)
    watched.next_deadline(0.0)
    watched.frame_received(ask_of(1, number=2), SENDER, None, 1.0)
    watched.next_deadline(1.0)
    watched.frame_received(ask_of(1, number=2), SENDER, None, 1.0 + ALIVE_PAUSE_SECONDS)
    assert watched.take_strays(1.0 + ALIVE_PAUSE_SECONDS) == []
    assert answer(watched, ask_of(1, number=3), 1.0 + ALIVE_PAUSE_SECONDS) == (True,)


def test_answers_wait_in_a_bounded_place() -> None:
    watched = watch()
    for number in range(MAX_STRAYS + 5):
        tag = SenderTag(number.to_bytes(16, "big"))
        watched.frame_received(ask_of(1, tag=tag), tag, None, 0.0)
    assert len(watched.take_strays(0.0)) == MAX_STRAYS


def test_questions_and_answers_count_from_their_own_side_alone() -> None:
    watched = watch()
    watched.verified(SENDER, link(1), 0.0)
    ask = ask_of(1)
    for frame, tag in (
        (ask, None),
        (alive(Ask(1, (1,), bytes(32)), ADDRESS), SENDER),
        (alive(Ask(1, (1,), bytes(32)), ADDRESS), None),
        (flipped(ask), SENDER),
    ):
        with pytest.raises(ChannelFormatError):
            watched.frame_received(frame, tag, None, 0.0)
    assert watched.take_strays(0.0) == []


def test_what_is_due_for_one_peer_is_no_reason_to_look_at_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a thousand peers that cost 0.6 ms for each stream that began, at a server under attack
    more than all else."""
    looks = 0
    dead_at: property = vars(Answerer)["dead_at"]

    def counting(answerer: Answerer) -> float:
        nonlocal looks
        looks += 1
        return float(dead_at.__get__(answerer))

    monkeypatch.setattr(Answerer, "dead_at", property(counting))
    watched = watch()
    peers = [SenderTag(number.to_bytes(16, "big")) for number in range(1000)]
    streams = [link(number) for number in range(1000)]
    for number in range(1000):
        watched.verified(peers[number], streams[number], number / 10)
        watched.tick(number / 10)
        watched.take_strays(number / 10)
        watched.next_deadline(number / 10)
    assert looks < 3 * 1000
    for number in range(1000):
        watched.removed(peers[number], streams[number])
    assert sum(held_for(watched)) <= MAX_ENDED


# The dialer.


def test_one_question_names_all_streams_of_a_peer_and_ends_those_it_has_lost() -> None:
    watched, kept, lost, other = watch(), link(1), link(2), link(3)
    for peer, each in ((ADDRESS, kept), (ADDRESS, lost), (OTHER_ADDRESS, other)):
        watched.verified(peer, each, 0.0)
    (ask,), now = first_asks(watched, ADDRESS)
    assert set(ask.stream_ids) == {1, 2}
    watched.frame_received(alive(ask, ADDRESS, 2), None, None, now)
    assert isinstance(lost.machine.error, StreamPeerLost)
    assert (kept.machine.error, other.machine.error) == (None, None)
    assert watched.take_changed() == [lost]
    with pytest.raises(ChannelFormatError):
        watched.frame_received(alive(ask, ADDRESS, 2), None, None, now)  # answered already


def test_each_peer_answers_for_itself() -> None:
    watched, first, second = watch(), link(1), link(2)
    watched.verified(OTHER_ADDRESS, first, 0.0)
    watched.verified(ADDRESS, second, 0.0)
    (ask,), now = first_asks(watched, ADDRESS)
    watched.frame_received(alive(ask, ADDRESS, 2), None, None, now)
    assert first.machine.error is None
    assert isinstance(second.machine.error, StreamPeerLost)


def test_nobody_answers_through_the_surbs_that_another_was_given() -> None:
    watched, each = watch(), link(2)
    watched.verified(ADDRESS, each, 0.0)
    (ask,), now = first_asks(watched, ADDRESS)
    with pytest.raises(ChannelFormatError):
        watched.frame_received(alive(ask, ADDRESS, 2), None, OTHER_ADDRESS, now)
    assert each.machine.error is None
    watched.frame_received(alive(ask, ADDRESS, 2), None, ADDRESS, now)
    assert isinstance(each.machine.error, StreamPeerLost)


def test_a_dead_peer_ends_all_its_streams_but_keeps_the_errors_they_had() -> None:
    watched, live, failed = watch(), link(1), link(2)
    error = StreamDataLost("lost")
    for each in (live, failed):
        watched.verified(ADDRESS, each, 0.0)
    failed.machine.fail(error, ResetCode.DATA_LOST)
    run_until(watched, 0.0, DEAD_SECONDS - 1.0)
    assert watched.take_changed() == []
    run_until(watched, DEAD_SECONDS - 1.0, DEAD_SECONDS)
    assert isinstance(live.machine.error, StreamPeerLost)
    assert failed.machine.error is error
    assert watched.take_changed() == [live]


def test_a_dialer_that_comes_back_as_it_is_given_up_is_given_up_again() -> None:
    """Its old stream is about to be removed, and nobody looked at the new one any more."""
    watched, old, new = watch(), link(1), link(2)
    watched.verified(SENDER, old, 0.0)
    now = run_until(watched, 0.0, DEAD_SECONDS)
    assert isinstance(old.machine.error, StreamPeerLost)
    watched.verified(SENDER, new, now)
    watched.removed(SENDER, old)
    run_until(watched, now, now + DEAD_SECONDS)
    assert isinstance(new.machine.error, StreamPeerLost)


def test_the_last_of_two_streams_that_ends_ends_the_questions() -> None:
    watched, first, second = watch(), link(1), link(2)
    for each in (first, second):
        watched.verified(ADDRESS, each, 0.0)
    watched.removed(ADDRESS, first)
    watched.removed(ADDRESS, first)
    (ask,), now = first_asks(watched, ADDRESS)
    assert ask.stream_ids == (2,)
    watched.removed(ADDRESS, second)
    for _ in range(20):
        now += 10.0
        watched.tick(now)
        assert watched.take_strays(now) == []
        watched.next_deadline(now)
    assert watched.take_changed() == []


def held_for(watched: PeerWatch) -> list[int]:
    """How many entries a watch has in each of its collections."""
    return [len(each) for each in vars(watched).values() if hasattr(each, "__len__")]


def test_addresses_that_an_acceptor_names_are_kept_no_longer_than_its_streams() -> None:
    """Four for each stream were, for ever: as many and as large as the acceptor likes."""
    watched, found = watch(), list[NymAddress]()
    for number in range(500):
        each = link(number)
        watched.wants(ADDRESS, 20, 0.0)
        watched.verified(ADDRESS, each, 0.0)
        for named in range(4):
            address = replace(ADDRESS, encryption=bytes([named]) + number.to_bytes(31, "big"))
            watched.seek(address, each, lambda where, _: found.append(where), 0.0)
            watched.seek(address, each, lambda where, _: found.append(where), 0.0)
        if number % 2:
            (ask,) = asks_to(watched, address, 0.0)
            watched.frame_received(alive(ask, address), None, None, 0.0)
            assert found.pop() == address
        watched.removed(ADDRESS, each)
        watched.take_strays(0.0)
    assert not found
    assert sum(held_for(watched)) == 1  # the acceptor itself, in case that it remembers


def test_who_looks_for_an_acceptor_goes_on_when_the_last_stream_there_ends() -> None:
    """Its questions ended with that stream, and each address is asked once a minute."""
    watched, there, looking, found = watch(), link(1), link(2), list[NymAddress]()
    watched.verified(ADDRESS, there, 0.0)
    watched.seek(ADDRESS, looking, lambda where, _: found.append(where), 1.0)
    asks_to(watched, ADDRESS, 1.0)
    watched.removed(ADDRESS, there)
    (ask,) = asks_to(watched, ADDRESS, 1.0)
    watched.frame_received(alive(ask, ADDRESS), None, None, 1.5)
    assert found == [ADDRESS]


def test_an_acceptor_that_was_left_is_asked_by_higher_numbers_and_those_kept_are_bounded() -> None:
    watched, acceptor = watch(), watch(2)
    first, second = link(1), link(2)
    for each in (first, second):  # the acceptor knows a stream longer than we do
        acceptor.verified(SENDER, each, 0.0)
    watched.verified(ADDRESS, first, 0.0)
    (ask,), now = first_asks(watched, ADDRESS)
    watched.removed(ADDRESS, first)
    watched.verified(ADDRESS, second, now)
    watched.hinted(ADDRESS, now)
    (again,) = asks_to(watched, ADDRESS, now)
    assert again.number > ask.number
    for number in range(MAX_RETIRED + 10):
        address = replace(ADDRESS, encryption=number.to_bytes(32, "big"))
        watched.verified(address, first, now)
        watched.removed(address, first)
    watched.removed(ADDRESS, second)
    assert max(held_for(watched)) == MAX_RETIRED
    watched.client_moved()  # acceptors know us by other tags: nothing to remember
    assert sum(held_for(watched)) == 0


def test_an_acceptor_that_only_refused_is_not_kept() -> None:
    watched = watch()
    watched.wants(ADDRESS, 20, 0.0)
    watched.removed(ADDRESS, link(1))
    assert sum(held_for(watched)) == 0


def test_a_hint_about_a_peer_that_was_never_heard_asks_nobody() -> None:
    """A gateway forges a RESET before the ACCEPT has come: the stream waits on."""
    pair = Pair()
    opening = pair.dialer.send()
    reset = Segment(
        SegmentKind.RESET, pair.dialer.machine.channel_id, reset_code=ResetCode.UNKNOWN_STREAM
    )
    pair.dialer.take(pair.dialer.protocol.codec.encode(reset), None)
    pair.dialer.table.tick(pair.dialer.now)
    assert pair.dialer.send() == []
    deliver(opening, pair.acceptor)
    pair.settle()
    assert pair.dialer.link.hears_the_peer


def test_an_altered_question_gets_no_answer_and_ends_nothing() -> None:
    pair = Pair()
    pair.settle()
    asks = []
    for _ in range(20):
        pair.dialer.table.next_deadline(pair.dialer.now)  # the process sleeps no longer
        pair.dialer.pass_time(1.0)
        asks += [each for each in pair.dialer.send() if type_of(each) is MessageType.ASK]
    pair.acceptor.take(flipped(asks[0].payload), SENDER)
    assert pair.acceptor.send() == []
    deliver(asks[:1], pair.acceptor)
    (said,) = pair.acceptor.send()
    assert type_of(said) is MessageType.ALIVE
    pair.dialer.take(flipped(said.payload), None)
    assert pair.dialer.machine.error is None
