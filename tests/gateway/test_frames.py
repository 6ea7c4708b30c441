"""Binary frames, keys and the shared key's derivation."""

from __future__ import annotations

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError, GatewayProtocolError
from nymproxy.mixnet.gateway.frames import (
    MAX_FRAME_BYTES,
    Frame,
    RequestKind,
    ResponseKind,
    open_frame,
    seal_frame,
)
from nymproxy.mixnet.gateway.keys import (
    ClientIdentityKey,
    SharedKey,
    signature_is_valid,
    x25519_public,
)
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, PacketSize

KEY = SharedKey(b"k" * 32)
OTHER_KEY = SharedKey(b"o" * 32)
nonces = st.binary(min_size=12, max_size=12)


@given(st.sampled_from(RequestKind), st.binary(max_size=500), nonces)
def test_requests_round_trip(kind: RequestKind, plaintext: bytes, nonce: bytes) -> None:
    frame = seal_frame(KEY, kind, plaintext, nonce)
    assert len(frame) == 14 + len(plaintext) + 16
    assert open_frame(KEY, frame, RequestKind) == Frame(kind, plaintext)
    with pytest.raises(GatewayProtocolError, match="does not open"):
        open_frame(OTHER_KEY, frame, RequestKind)


@given(st.binary(max_size=500), nonces, st.data())
def test_damage_is_found(plaintext: bytes, nonce: bytes, choice: st.DataObject) -> None:
    frame = bytearray(seal_frame(KEY, ResponseKind.PUSHED_MIX_MESSAGE, plaintext, nonce))
    index = choice.draw(st.integers(0, len(frame) - 1))
    frame[index] ^= choice.draw(st.integers(1, 255))
    with pytest.raises(GatewayProtocolError):
        open_frame(KEY, bytes(frame), ResponseKind)


@given(st.binary(max_size=100), st.booleans())
def test_never_crashes(data: bytes, allow_unencrypted: bool) -> None:
    with contextlib.suppress(GatewayProtocolError):
        open_frame(KEY, data, RequestKind, allow_unencrypted=allow_unencrypted)
    with contextlib.suppress(GatewayProtocolError):
        open_frame(KEY, data, ResponseKind, allow_unencrypted=allow_unencrypted)


@given(st.binary(min_size=12))
def test_frames_in_the_clear(rest: bytes) -> None:
    frame = bytes((1, 0)) + rest
    with pytest.raises(GatewayProtocolError, match="not encrypted"):
        open_frame(KEY, frame, ResponseKind)
    assert open_frame(KEY, frame, ResponseKind, allow_unencrypted=True).plaintext == rest[12:]


def test_longest_frame() -> None:
    packet = MixPacket(
        NodeAddress.parse("2001:db8::1", 1789),
        KeyRotation.ODD,
        bytes(PacketSize.EXTENDED32.packet_length),
    )
    frame = seal_frame(KEY, RequestKind.FORWARD_SPHINX_V2, packet.encode_v2(), b"n" * 12)
    assert len(frame) == MAX_FRAME_BYTES


@given(st.binary(max_size=64))
def test_key_lengths(key: bytes) -> None:
    if len(key) != 32:
        with pytest.raises(GatewayProtocolError):
            SharedKey(key)
        with pytest.raises(ConfigurationError):
            ClientIdentityKey(key)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_both_sides_derive_the_same_key(ours: bytes, theirs: bytes) -> None:
    salt = b"s" * 16
    key = SharedKey.derive(ours, x25519_public(theirs), salt)
    assert key == SharedKey.derive(theirs, x25519_public(ours), salt)
    assert key != SharedKey.derive(ours, x25519_public(theirs), b"t" * 16)
    assert hash(key) == hash(SharedKey(key.to_bytes()))


LOW_ORDER_POINTS = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
]


@pytest.mark.parametrize("point", [*LOW_ORDER_POINTS, b"short", b"x" * 33], ids=lambda p: p.hex())
def test_unusable_peer_keys(point: bytes) -> None:
    with pytest.raises(GatewayProtocolError, match="unusable"):
        SharedKey.derive(b"p" * 32, point, b"s" * 16)


@given(st.binary(max_size=70), st.binary(max_size=40), st.binary(max_size=70))
def test_signatures_never_crash(key: bytes, message: bytes, signature: bytes) -> None:
    assert not signature_is_valid(key, message, signature)


def test_signatures() -> None:
    identity = ClientIdentityKey.generate(Random(1).randbytes)
    signature = identity.sign(b"message")
    assert signature_is_valid(identity.public_key, b"message", signature)
    assert not signature_is_valid(identity.public_key, b"other", signature)
    assert not signature_is_valid(identity.public_key, b"message", signature[:63])


def test_secrets_do_not_show() -> None:
    for secret in (KEY, ClientIdentityKey(b"k" * 32)):
        assert "k" * 4 not in f"{secret!r} {secret}"
        assert b"k".hex() * 4 not in f"{secret!r} {secret}"
