"""The encryption of fragments."""

from __future__ import annotations

import random

import pytest
from blake3 import blake3
from hypothesis import assume, given
from hypothesis import strategies as st
from nacl.bindings import crypto_scalarmult_base

from nymproxy.errors import AddressError, MessageFormatError
from nymproxy.mixnet.messages import (
    CoverKeys,
    FragmentKey,
    PlainMessage,
    detach_ack,
    seal_fragment,
    seal_reply_fragment,
)
from nymproxy.mixnet.messages.cover import COVER_MARKER
from nymproxy.mixnet.messages.payload import (
    apply_payload_key,
    derive_payload_key,
    open_fragment,
    reply_key_digest,
)
from nymproxy.mixnet.sphinx import PacketSize
from tests.messages.builders import SMALL_ORDER_KEY, Client

keys = st.binary(min_size=32, max_size=32)


def hmac_by_hand(key: bytes, message: bytes) -> bytes:
    block = key.ljust(64, b"\0")
    inner = blake3(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return blake3(bytes(byte ^ 0x5C for byte in block) + inner).digest()


@given(keys)
def test_the_key_derivation_is_hkdf_over_hmac_over_blake3(shared_secret: bytes) -> None:
    extracted = hmac_by_hand(bytes(32), shared_secret)
    assert derive_payload_key(shared_secret) == hmac_by_hand(extracted, b"\x01")[:16]


@given(st.binary(max_size=200), keys, st.integers())
def test_a_sealed_fragment_opens(fragment: bytes, private_key: bytes, seed: int) -> None:
    ack = Client.create().ack()
    public_key = crypto_scalarmult_base(private_key)
    key = FragmentKey.draw(public_key, random.Random(seed).randbytes)
    plaintext = seal_fragment(fragment, ack, key)
    assert plaintext.startswith(ack.block)
    assert len(plaintext) == 405 + 32 + len(fragment)
    assert open_fragment(detach_ack(plaintext).pushed, private_key) == fragment


@given(st.binary(min_size=16, max_size=200), keys, keys, st.integers())
def test_another_key_opens_nothing_of_a_fragment(
    fragment: bytes, private_key: bytes, other: bytes, seed: int
) -> None:
    """The recipient's gateway, which has all of it, has no key to it."""
    public_key = crypto_scalarmult_base(private_key)
    assume(crypto_scalarmult_base(other) != public_key)
    key = FragmentKey.draw(public_key, random.Random(seed).randbytes)
    pushed = detach_ack(seal_fragment(fragment, Client.create().ack(), key)).pushed
    assert fragment not in pushed
    assert open_fragment(pushed, other) != fragment


@given(st.binary(min_size=1, max_size=200), keys, st.integers(), st.data())
def test_a_flipped_bit_is_not_noticed(
    fragment: bytes, private_key: bytes, seed: int, choice: st.DataObject
) -> None:
    """The end-to-end layer is a stream cipher: what a recipient's gateway alters arrives altered,
    at the same offset. That is the wire's; with NX2 a stream notices (docs/wire.md)."""
    bit = choice.draw(st.integers(0, 8 * len(fragment) - 1))
    public_key = crypto_scalarmult_base(private_key)
    ack = Client.create().ack()
    key = FragmentKey.draw(public_key, random.Random(seed).randbytes)
    plaintext = seal_fragment(fragment, ack, key)
    pushed = bytearray(detach_ack(plaintext).pushed)
    altered = bytearray(fragment)
    pushed[32 + bit // 8] ^= 1 << bit % 8
    altered[bit // 8] ^= 1 << bit % 8
    assert open_fragment(bytes(pushed), private_key) == bytes(altered)


@given(keys, keys, st.binary(min_size=18, max_size=100))
def test_the_key_of_a_cover_to_ourselves_shows_what_that_of_a_packet_shows(
    private_key: bytes, drawn: bytes, content: bytes
) -> None:
    """Its public key is that of a packet with the same draw; only who has the private key of the
    address can tell what is behind it, and takes nothing else for a cover of his own."""
    covers = CoverKeys(private_key)
    key = covers.draw(lambda _: drawn)
    assert key.public == FragmentKey.draw(crypto_scalarmult_base(bytes(32)), lambda _: drawn).public
    sealed = apply_payload_key(key.secret, COVER_MARKER + content)
    assert covers.open(key.public + sealed) == COVER_MARKER
    assert covers.open(key.public + bytes(100)) is None
    assert CoverKeys(drawn).open(key.public + sealed) is None or drawn == private_key


def test_every_sealing_takes_a_new_key() -> None:
    client = Client.create()
    ack = client.ack()
    sealed = [
        seal_fragment(
            b"the same", ack, FragmentKey.draw(client.address.encryption, client.rng.randbytes)
        )[405:]
        for _ in range(2)
    ]
    assert sealed[0] != sealed[1]


def test_a_fragment_fills_the_packet() -> None:
    client = Client.create()
    (push,) = client.pushes(PlainMessage(b"short"))
    assert len(push) == PacketSize.REGULAR.plaintext_length - 405


@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16))
def test_a_sealed_reply_opens(fragment: bytes, key: bytes) -> None:
    ack = Client.create().ack()
    plaintext = seal_reply_fragment(fragment, ack, key)
    assert plaintext[405:437] == reply_key_digest(key) == blake3(key).digest()
    assert apply_payload_key(key, plaintext[437:]) == fragment


def test_a_reply_key_of_another_length_is_refused() -> None:
    with pytest.raises(MessageFormatError):
        seal_reply_fragment(b"", Client.create().ack(), bytes(15))


def test_an_address_with_a_key_of_small_order_is_refused() -> None:
    with pytest.raises(AddressError):
        FragmentKey.draw(SMALL_ORDER_KEY, random.Random(0).randbytes)


def test_an_ephemeral_key_of_small_order_is_malformed() -> None:
    with pytest.raises(MessageFormatError):
        open_fragment(SMALL_ORDER_KEY + b"data", b"\x01" * 32)


@given(st.binary(max_size=80), keys)
def test_any_bytes_open_or_are_refused(pushed: bytes, private_key: bytes) -> None:
    try:
        content = open_fragment(pushed, private_key)
    except MessageFormatError:
        return
    assert len(content) == len(pushed) - 32
