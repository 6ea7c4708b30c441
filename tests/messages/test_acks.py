"""Ack keys, ack blocks, and what gateways do with them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_scalarmult_base

from nymproxy.errors import MessageFormatError
from nymproxy.mixnet.messages import (
    COVER_FRAGMENT_ID,
    AckKey,
    FragmentId,
    FragmentSetId,
    build_ack,
    detach_ack,
    fragment_id,
)
from nymproxy.mixnet.sphinx import (
    FinalHop,
    Hop,
    KeyRotation,
    NodeAddress,
    PreparedHeader,
    build_header,
    partially_unwrap,
    recover_plaintext,
)
from tests.messages.builders import IDENTITY, make_header

identifiers = st.builds(
    fragment_id, st.integers(1, 2**31 - 1).map(FragmentSetId), st.integers(1, 255)
)
ack_keys = st.binary(min_size=16, max_size=16).map(AckKey)


@given(ack_keys, identifiers, st.integers())
def test_an_ack_opens_with_its_key(key: AckKey, identifier: FragmentId, seed: int) -> None:
    payload = key.seal(identifier, random.Random(seed).randbytes)
    assert len(payload) == 21
    assert key.open(payload) == identifier


@given(ack_keys)
def test_the_ack_of_a_cover_packet_opens_to_none(key: AckKey) -> None:
    assert key.open(key.seal(COVER_FRAGMENT_ID, random.Random(0).randbytes)) is None


@given(ack_keys, st.binary(max_size=30) | st.binary(min_size=21, max_size=21))
def test_any_bytes_open_or_are_refused(key: AckKey, payload: bytes) -> None:
    try:
        identifier = key.open(payload)
    except MessageFormatError:
        return
    assert identifier is None or len(identifier) == 5


def test_an_identifier_with_the_top_bit_set_is_malformed() -> None:
    key = AckKey(bytes(16))
    payload = bytearray(key.seal(fragment_id(FragmentSetId(1), 1), random.Random(0).randbytes))
    payload[16] ^= 0x80
    with pytest.raises(MessageFormatError):
        key.open(bytes(payload))


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(MessageFormatError):
        AckKey(bytes(length))


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(AckKey(b"secret key bytes"))


def test_an_ack_travels_to_its_owner() -> None:
    rng = random.Random(0)
    node_key = rng.randbytes(32)
    address = NodeAddress.parse("2001:db8::1", 1789)
    header = build_header(
        [Hop(address, crypto_scalarmult_base(node_key))],
        [5],
        IDENTITY,
        rotation=KeyRotation.EVEN,
        random_bytes=rng.randbytes,
    )
    key, identifier = AckKey.generate(rng.randbytes), fragment_id(FragmentSetId(7), 3)
    ack = build_ack(header, key, identifier, rng.randbytes)
    assert len(ack.block) == 405
    assert ack.delay_ns == 0  # the last hop does not delay

    detached = detach_ack(ack.block + b"for the client")
    assert detached.first_hop == address
    assert detached.pushed == b"for the client"
    final = partially_unwrap(detached.packet, node_key).finish()
    assert isinstance(final, FinalHop)
    assert final.destination == IDENTITY
    assert key.open(recover_plaintext(final.payload)) == identifier


def test_prepared_headers_make_the_same_acks() -> None:
    header = make_header(random.Random(0))
    key = AckKey(bytes(16))
    plain = build_ack(header, key, COVER_FRAGMENT_ID, random.Random(1).randbytes)
    prepared = build_ack(
        PreparedHeader.from_material(header), key, COVER_FRAGMENT_ID, random.Random(1).randbytes
    )
    assert plain == prepared
    assert plain.delay_ns == 1000 + 2000 + 3000


@given(st.binary(max_size=450) | st.binary(min_size=405, max_size=405))
def test_any_plaintext_has_an_ack_or_is_refused(plaintext: bytes) -> None:
    try:
        detached = detach_ack(plaintext)
    except MessageFormatError:
        return
    assert detached.packet + detached.pushed == plaintext[19:]
