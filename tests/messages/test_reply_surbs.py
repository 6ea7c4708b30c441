"""Reply SURBs and their batches."""

from __future__ import annotations

import random

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import MessageFormatError
from nymproxy.mixnet.messages import ReplySurb
from nymproxy.mixnet.messages.reply_surbs import encode_surbs, parse_surbs, parse_surbs_v1
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, Surb
from tests.messages.builders import IDENTITY, make_header, make_surbs

rotations = st.sampled_from(KeyRotation)


def make_surb_v1(rng: random.Random) -> ReplySurb:
    """Make a SURB with whole payload keys, as old clients send them."""
    header = make_header(rng, rotation=KeyRotation.UNKNOWN)
    surb = Surb(header.header, header.first_hop.pad(32), header.payload_keys())
    return ReplySurb(rng.randbytes(16), surb, KeyRotation.UNKNOWN)


@pytest.mark.parametrize("hops", [1, 2, 4, 5])
def test_a_reply_surb_reads_back(hops: int) -> None:
    (surb,) = make_surbs(random.Random(0), 1, hops)
    encoded = surb.to_bytes()
    assert len(encoded) == 396 + 16 * hops
    assert surb.hops == hops
    assert ReplySurb.parse(encoded, surb.rotation) == surb
    assert surb.key_digest == blake3(encoded[:16]).digest()


def test_creating_takes_the_rotation_and_first_hop_of_the_header() -> None:
    header = make_header(random.Random(0), rotation=KeyRotation.EVEN)
    surb = ReplySurb.create(header, random.Random(1).randbytes)
    assert surb.rotation is KeyRotation.EVEN
    assert surb.first_hop == header.first_hop
    assert surb.encryption_key == random.Random(1).randbytes(16)


def test_all_that_a_surb_tells_is_the_first_mix_on_the_way_back() -> None:
    """Whoever has it, a server too, reads neither whose it is nor at which gateway."""
    for surb in make_surbs(random.Random(0), 20):
        encoded = surb.to_bytes()
        told = [NodeAddress.parse(f"10.0.0.{hop}", 1789).pack() in encoded for hop in range(1, 5)]
        assert told == [True, False, False, False]
        assert IDENTITY not in encoded


@given(st.integers(0, 4), st.sampled_from([1, 4]), rotations, st.binary(max_size=20))
def test_batches_read_back(count: int, hops: int, rotation: KeyRotation, tail: bytes) -> None:
    surbs = make_surbs(random.Random(0), count, hops, rotation)
    encoded = encode_surbs(surbs)
    assert len(encoded) == 4 + count * (396 + 16 * hops)
    bundle, end = parse_surbs(b"start" + encoded + tail, 5)
    assert (tuple(bundle), end) == (surbs, 5 + len(encoded))


@given(st.integers(0, 2), st.binary(max_size=20))
def test_batches_of_version_1_are_read(count: int, tail: bytes) -> None:
    surbs = tuple(make_surb_v1(random.Random(index)) for index in range(count))
    encoded = count.to_bytes(4, "big") + b"".join(surb.to_bytes() for surb in surbs)
    bundle, end = parse_surbs_v1(encoded + tail, 0)
    assert (tuple(bundle), end) == (surbs, len(encoded))
    assert len(encoded) == 4 + 1164 * count


def test_a_batch_that_lacks_one_byte_is_refused() -> None:
    encoded = encode_surbs(make_surbs(random.Random(0), 2))
    with pytest.raises(MessageFormatError):
        parse_surbs(encoded[:-1], 0)
    encoded_v1 = (1).to_bytes(4, "big") + make_surb_v1(random.Random(0)).to_bytes()
    with pytest.raises(MessageFormatError):
        parse_surbs_v1(encoded_v1[:-1], 0)


def test_surbs_of_two_kinds_cannot_travel_together() -> None:
    odd = make_surbs(random.Random(0), 1)
    even = make_surbs(random.Random(0), 1, rotation=KeyRotation.EVEN)
    short = make_surbs(random.Random(0), 1, hops=1)
    for mixed in (odd + even, odd + short, (make_surb_v1(random.Random(0)),)):
        with pytest.raises(MessageFormatError):
            encode_surbs(mixed)


def test_more_surbs_than_can_be_counted_are_refused() -> None:
    with pytest.raises(MessageFormatError):
        encode_surbs(make_surbs(random.Random(0), 1) * 65_536)


PREAMBLES = st.binary(min_size=4, max_size=4) | st.tuples(
    st.integers(0, 2), st.integers(0, 12), st.integers(0, 4)
).map(lambda fields: bytes((0, *fields)))


@given(PREAMBLES, st.binary(max_size=40), st.booleans())
def test_any_bytes_parse_or_are_refused(preamble: bytes, tail: bytes, long: bool) -> None:
    data = preamble + tail + bytes((4,)) * (3000 if long else 0)
    for parse in (parse_surbs, parse_surbs_v1):
        try:
            surbs, end = parse(data, 0)
        except MessageFormatError:
            continue
        assert 4 <= end <= len(data)
        assert all(1 <= surb.hops <= 5 for surb in surbs)


@pytest.mark.parametrize("preamble", ["000000", "00000003", "00010001", "00010601", "00010c01"])
def test_impossible_preambles_are_refused(preamble: str) -> None:
    data = bytes.fromhex(preamble) + b"\x04" * (3000 if len(preamble) == 8 else 0)
    with pytest.raises(MessageFormatError):
        parse_surbs(data, 0)


@pytest.mark.parametrize("length", [0, 16, 411, 413, 587])
def test_a_length_that_no_surb_has_is_refused(length: int) -> None:
    with pytest.raises(MessageFormatError):
        ReplySurb.parse(b"\x04" * length, KeyRotation.ODD)


@given(st.binary(max_size=8), st.sampled_from([0, 388, 396, 404, 412, 572, 764, 1148, 1156]))
def test_any_bytes_are_a_surb_or_are_refused(start: bytes, zeros: int) -> None:
    data = bytes(zeros) + start
    for candidate in (data, data[:364] + b"\x04" + data[365:]):
        try:
            surb = ReplySurb.parse(candidate, KeyRotation.ODD)
        except MessageFormatError:
            continue
        assert surb.to_bytes() == candidate


def test_a_first_hop_that_is_no_address_is_refused() -> None:
    (surb,) = make_surbs(random.Random(0), 1)
    encoded = bytearray(surb.to_bytes())
    encoded[16 + 348] = 5
    with pytest.raises(MessageFormatError):
        ReplySurb.parse(bytes(encoded), KeyRotation.ODD)


def test_an_encryption_key_of_another_length_is_refused() -> None:
    (surb,) = make_surbs(random.Random(0), 1)
    with pytest.raises(MessageFormatError):
        ReplySurb(bytes(15), surb.surb, surb.rotation)


def test_a_key_is_not_shown() -> None:
    (surb,) = make_surbs(random.Random(0), 1)
    assert repr(surb) == "ReplySurb(hops=4, rotation=ODD)"


@pytest.mark.parametrize("length", range(4))
def test_a_count_of_version_1_that_is_cut_off(length: int) -> None:
    with pytest.raises(MessageFormatError, match="cut off"):
        parse_surbs_v1(b"tag" + bytes(length), 3)


class TestBundle:
    def test_it_is_a_sequence_that_parses_what_is_taken(self) -> None:
        surbs = make_surbs(random.Random(0), 5)
        bundle, _ = parse_surbs(encode_surbs(surbs), 0)
        assert len(bundle) == 5
        assert bundle[-1] == surbs[-1]
        assert tuple(bundle[1:3]) == surbs[1:3]
        assert bundle == surbs
        assert bundle != surbs[:4]
        assert bundle != 5
        assert len({bundle, parse_surbs(encode_surbs(surbs), 0)[0]}) == 1
        assert repr(bundle) == "SurbBundle(5 SURBs, rotation=ODD)"
        with pytest.raises(IndexError):
            _ = bundle[5]

    @given(st.integers(0, 4), st.sampled_from([0, 3, 5, 7, 255]))
    def test_one_that_could_not_be_parsed_fails_them_all_at_once(
        self, position: int, tag: int
    ) -> None:
        encoded = bytearray(encode_surbs(make_surbs(random.Random(0), 5)))
        encoded[4 + position * 460 + 364] = tag
        with pytest.raises(MessageFormatError):
            parse_surbs(bytes(encoded), 0)
