"""NX2's frames: what was written is read, and nothing else raises anything but the one error."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ChannelFormatError
from nymproxy.stream.codec import HEADER_LENGTH, MessageType, StreamFrame
from nymproxy.stream.nx2.envelopes import (
    CAPABILITY_BYTE,
    SEALABLE_TYPES,
    is_marked,
    read_own,
    seal,
    shows_nx2,
    unseal,
    write_own,
)
from nymproxy.stream.nx2.frames import Accept, Ack, Alive, Ask, Offer, Resume, Seal
from nymproxy.stream.nx2.keys import (
    ChannelKeys,
    accept_key,
    alive_key,
    ask_key,
    early_key,
    has_valid_mac,
    offer_key,
)
from tests.stream.nx2.builders import ADDRESS as PEER
from tests.stream.nx2.builders import TAG

if TYPE_CHECKING:
    from collections.abc import Callable

UINT32 = st.integers(0, 2**32 - 1)
UINT64 = st.integers(0, 2**64 - 1)
RANDOM = st.binary(min_size=32, max_size=32)
KEY = bytes(range(32))


@st.composite
def acks(draw: st.DrawFn) -> Ack:
    """Valid ACKs of up to 16 ranges."""
    next_expected = draw(st.integers(0, 2**31))
    ranges, end = [], next_expected
    for gap, length in draw(
        st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 1000)), max_size=16)
    ):
        first = end + gap
        ranges.append((first, first + length - 1))
        end = first + length
    return Ack(next_expected, draw(UINT32), draw(UINT32), draw(UINT64), tuple(ranges))


FIRSTS = st.just(b"") | st.binary(min_size=HEADER_LENGTH, max_size=50)
OFFERS = st.builds(Offer, UINT32, RANDOM, st.booleans(), st.binary(max_size=50))
ACCEPTS = st.builds(
    Accept,
    RANDOM,
    st.booleans(),
    st.integers(20, 100),
    st.lists(st.just(PEER), max_size=4).map(tuple),
    st.booleans(),
    FIRSTS,
)
SEALS = st.builds(Seal, RANDOM, acks(), FIRSTS)
RESUMES = st.builds(Resume, UINT32, acks())
ASKS = st.builds(Ask, UINT32, st.lists(UINT64, max_size=64).map(tuple), RANDOM)
ALIVES = st.builds(Alive, UINT32, st.lists(st.booleans(), max_size=64).map(tuple))

DECODERS: dict[str, Callable[[bytes], object]] = {
    "OFFER": Offer.decode,
    "ACCEPT": Accept.decode,
    "SEAL": Seal.decode,
    "ACK": lambda fields: Ack.decode(7, fields),
    "RESUME": lambda fields: Resume.decode(7, fields),
    "ASK": lambda fields: Ask.decode(7, fields),
    "ALIVE": lambda fields: Alive.decode(7, fields),
}


@given(OFFERS, ACCEPTS, SEALS, acks(), RESUMES, ASKS, ALIVES)
def test_what_was_written_is_read(
    offer: Offer, accept: Accept, seal: Seal, ack: Ack, resume: Resume, ask: Ask, alive: Alive
) -> None:
    assert Offer.decode(offer.encode()) == offer
    assert Accept.decode(accept.encode()) == accept
    assert Seal.decode(seal.encode()) == seal
    assert Ack.decode(ack.next_expected, ack.encode()) == ack
    assert Resume.decode(resume.ack.next_expected, resume.encode()) == resume
    assert Ask.decode(ask.number, ask.encode()) == ask
    assert Alive.decode(alive.number, alive.encode()) == alive


@given(acks(), ASKS, ALIVES, st.binary(min_size=1, max_size=20))
def test_fields_of_a_later_version_are_passed_over(
    ack: Ack, ask: Ask, alive: Alive, more: bytes
) -> None:
    assert Ack.decode(ack.next_expected, ack.encode() + more) == ack
    assert Ask.decode(ask.number, ask.encode() + more) == ask
    assert Alive.decode(alive.number, alive.encode() + more) == alive


@pytest.mark.parametrize("name", DECODERS)
@given(st.binary(max_size=300))
def test_arbitrary_fields_raise_nothing_else(name: str, fields: bytes) -> None:
    with contextlib.suppress(ChannelFormatError):
        DECODERS[name](fields)


@pytest.mark.parametrize(
    ("fields", "decoder"),
    [
        (Offer(1, bytes(32)).encode(), "OFFER"),
        (Accept(bytes(32), alternates=(PEER,)).encode(), "ACCEPT"),
        (Seal(bytes(32), Ack(7, 1, ranges=((9, 9),))).encode(), "SEAL"),
        (Ack(7, 1, ranges=((9, 9), (11, 12))).encode(), "ACK"),
        (Resume(1, Ack(7, 1)).encode(), "RESUME"),
        (Ask(1, (1, 2), bytes(32)).encode(), "ASK"),
        (Alive(1, (True,) * 9).encode(), "ALIVE"),
    ],
)
def test_every_cut_is_noticed(fields: bytes, decoder: str) -> None:
    DECODERS[decoder](fields)
    for length in range(len(fields)):
        with pytest.raises(ChannelFormatError):
            DECODERS[decoder](fields[:length])


@pytest.mark.parametrize("decoder", ["OFFER", "ACCEPT"])
@pytest.mark.parametrize("version", [0, 2, 255])
def test_other_versions_are_refused(decoder: str, version: int) -> None:
    fields = Offer(1, bytes(32)).encode() if decoder == "OFFER" else Accept(bytes(32)).encode()
    with pytest.raises(ChannelFormatError):
        DECODERS[decoder](bytes([version]) + fields[1:])


@pytest.mark.parametrize(
    "ranges",
    [
        ((7, 8),),  # the next expected one is missing by definition
        ((8, 7),),
        ((9, 10), (11, 12)),  # one range in two
        ((11, 12), (9, 9)),
        ((9, 12), (11, 14)),
    ],
)
def test_ranges_that_do_not_ascend_are_refused(ranges: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ChannelFormatError):
        Ack.decode(7, Ack(7, 1, ranges=ranges).encode())


def test_counts_beyond_their_bounds_are_refused() -> None:
    ranges = tuple((10 * n, 10 * n) for n in range(1, 18))
    with pytest.raises(ChannelFormatError):
        Ack.decode(0, Ack(0, 1, ranges=ranges).encode())
    with pytest.raises(ChannelFormatError):
        Accept.decode(Accept(bytes(32), alternates=(PEER,) * 5).encode())
    with pytest.raises(ChannelFormatError):
        Ask.decode(1, Ask(1, (1,) * 65, bytes(32)).encode())
    with pytest.raises(ChannelFormatError):
        Alive.decode(1, Alive(1, (True,) * 65).encode())


def test_a_frame_that_is_brought_along_has_a_header() -> None:
    for fields in (Accept(bytes(32)).encode(), Seal(bytes(32), Ack(7, 1)).encode()):
        decoder = DECODERS["ACCEPT" if fields[0] else "SEAL"]
        with pytest.raises(ChannelFormatError):
            decoder(fields + bytes(HEADER_LENGTH - 1))
        decoder(fields + bytes(HEADER_LENGTH))


def test_an_address_that_is_none_is_refused() -> None:
    fields = Accept(bytes(32), alternates=(PEER,)).encode()
    with pytest.raises(ChannelFormatError):
        Accept.decode(fields[:-96] + b"\x02" + bytes(95))


def test_an_interval_out_of_its_range_counts_as_the_nearest() -> None:
    assert Accept.decode(Accept(bytes(32), ask_seconds=0).encode()).ask_seconds == 20
    assert Accept.decode(Accept(bytes(32), ask_seconds=255).encode()).ask_seconds == 100


# Whole frames.


@given(
    st.sampled_from(sorted(SEALABLE_TYPES)),
    UINT64,
    UINT32,
    st.binary(max_size=100),
    UINT32,
    UINT32,
)
def test_a_sealed_frame_is_opened_with_its_key_alone(
    message_type: MessageType,
    stream_id: int,
    sequence: int,
    payload: bytes,
    expected: int,
    counter: int,
) -> None:
    frame = StreamFrame(stream_id, message_type, sequence, payload, CAPABILITY_BYTE).encode()
    is_numbered = message_type in {MessageType.DATA, MessageType.FIN}
    count = None if is_numbered else counter
    sealed = seal(KEY, TAG, frame, next_expected=expected, counter=count)
    assert is_marked(sealed)
    assert not is_marked(frame)
    opened = unseal((bytes(32), KEY), TAG, sealed)
    assert opened is not None
    assert opened.frame == frame
    assert (opened.message_type, opened.sequence) == (message_type, sequence)
    assert (opened.next_expected, opened.counter) == (expected, count)
    assert unseal((bytes(32),), TAG, sealed) is None
    assert unseal((KEY,), bytes(16), sealed) is None


@given(st.binary(max_size=60), st.data())
def test_no_flipped_bit_is_opened(payload: bytes, data: st.DataObject) -> None:
    frame = StreamFrame(5, MessageType.DATA, 3, payload, CAPABILITY_BYTE).encode()
    sealed = seal(KEY, TAG, frame, next_expected=9, counter=None)
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    altered = bytearray(sealed)
    altered[position // 8] ^= 1 << position % 8
    with contextlib.suppress(ChannelFormatError):
        assert unseal((KEY,), TAG, bytes(altered)) is None


@given(st.binary(max_size=120))
def test_arbitrary_frames_raise_nothing_else(frame: bytes) -> None:
    for candidate in (frame, b"\x03\x00" + frame):
        for read in (read_own, lambda each: unseal((KEY,), TAG, each)):
            with contextlib.suppress(ChannelFormatError):
                read(candidate)
        is_marked(candidate)
        shows_nx2(candidate)


def test_own_frames_show_nx2_and_have_the_mark_of_their_kind() -> None:
    for message_type in MessageType:
        if message_type < MessageType.OFFER or message_type is MessageType.ALONG:
            continue
        frame = write_own(message_type, 5, 3, b"fields", key=KEY, context=TAG)
        assert shows_nx2(frame)
        assert read_own(frame).payload == b"fields"
        assert has_valid_mac(KEY, TAG, frame)
        marked = {MessageType.SEAL, MessageType.ACK, MessageType.RESUME}
        assert is_marked(frame) == (message_type in marked)
        with pytest.raises(ChannelFormatError):
            read_own(frame[:15] + bytes([frame[15] ^ 4]) + frame[16:])
    with pytest.raises(ChannelFormatError):
        read_own(StreamFrame(5, MessageType.DATA, 0, bytes(16), CAPABILITY_BYTE).encode())


# Keys.


def test_every_key_is_another_one() -> None:
    first, second = bytes(32), bytes([1]) * 32
    keys = ChannelKeys.derive(first, second, 7)
    others = ChannelKeys.derive(first, second, 8)
    every = [
        *(keys.dialer, keys.acceptor, keys.resume),
        *(others.dialer, others.acceptor, others.resume),
        *(early_key(first, 7), early_key(first, 8)),
        *(offer_key(first), accept_key(first, second), ask_key(first), alive_key(first)),
    ]
    assert len(set(every)) == len(every)
    assert all(len(key) == 32 for key in every)


def test_keys_are_not_shown() -> None:
    keys = ChannelKeys.derive(bytes(32), bytes(32), 7)
    assert keys.dialer.hex() not in repr(keys)
    assert "dialer" not in repr(keys)
