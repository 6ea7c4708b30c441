"""Nodes: every byte string ends in a result or in a SphinxError."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx import (
    FinalHop,
    ForwardHop,
    PacketSize,
    build_packet,
    partially_unwrap,
    recover_plaintext,
)
from nymproxy.mixnet.sphinx.keys import MAC_KEY, STREAM_KEY, expand_secret
from nymproxy.mixnet.sphinx.primitives import hmac16, keystream, x25519, xor
from tests.sphinx.routes import attempt, four_hops, keys

NODE_KEY = b"n" * 32


def forge(alpha: bytes, routing: bytes, payload: bytes) -> bytes:
    """Make a packet that the node accepts, with any decrypted routing information."""
    secret = expand_secret(x25519(NODE_KEY, alpha))
    encrypted = xor(routing, keystream(secret[STREAM_KEY])[: len(routing)])
    return alpha + hmac16(secret[MAC_KEY], encrypted) + encrypted + payload


@given(st.binary(max_size=500), keys)
def test_arbitrary_bytes(packet: bytes, key: bytes) -> None:
    with pytest.raises(SphinxError) as caught:
        partially_unwrap(packet, key)
    expected = (
        SphinxErrorKind.INVALID_PACKET if len(packet) < 365 else SphinxErrorKind.INVALID_HEADER
    )
    assert caught.value.kind is expected


@given(
    keys,
    st.binary(min_size=300, max_size=300),
    st.sampled_from([0, 1, 2, 3, 255]),
    st.sampled_from([0, 1, 257, 258, 259, 260, 0xFFFF]),
    st.integers(17, 80),
)
@example(bytes(32), bytes(300), 1, 1, 40)
@example(bytes(32), bytes(300), 1, 259, 40)
def test_arbitrary_routing_information(
    alpha: bytes, routing: bytes, flag: int, version: int, payload_length: int
) -> None:
    routing = bytes([flag]) + version.to_bytes(3, "big") + routing[4:]
    packet = forge(alpha, routing, bytes(payload_length))
    partial = partially_unwrap(packet, NODE_KEY)
    assert len(partial.replay_tag) == 32
    result = attempt(partial.finish)
    if isinstance(result, SphinxError):
        if flag not in (1, 2):
            assert result.kind is SphinxErrorKind.INVALID_ROUTING
        else:
            assert result.kind is SphinxErrorKind.INVALID_PAYLOAD
            assert payload_length <= 32
        return
    assert result.version == version
    if isinstance(result, FinalHop):
        assert flag == 2
        assert (result.destination, result.identifier) == (routing[4:36], routing[36:52])
        check_recovery(result.payload)
    else:
        assert flag == 1
        assert len(result.packet) == len(packet)
        check_address(result)


def check_recovery(payload: bytes) -> None:
    result = attempt(lambda: recover_plaintext(payload))
    if isinstance(result, SphinxError):
        assert result.kind is SphinxErrorKind.INVALID_PAYLOAD
    else:
        assert len(result) + 17 <= len(payload)


def check_address(result: ForwardHop) -> None:
    address = attempt(lambda: result.address)
    if isinstance(address, SphinxError):
        assert address.kind is SphinxErrorKind.INVALID_ROUTING
    else:
        assert result.next_hop.startswith(address.pack())


@given(st.integers(0, 385), st.integers(0, 7))
def test_any_flipped_bit_is_noticed_somewhere(position: int, bit: int) -> None:
    journey = four_hops()
    packet = bytearray(build_packet(journey.material(), bytes(21), PacketSize.ACK))
    packet[position] ^= 1 << bit
    if position == 31 and bit == 7:  # the top bit of alpha means nothing
        assert recover_plaintext(journey.walk(bytes(packet)).payload) == bytes(21)
    elif position < 348:
        with pytest.raises(SphinxError) as caught:
            partially_unwrap(bytes(packet), journey.nodes[0].private_key)
        assert caught.value.kind is SphinxErrorKind.INVALID_HEADER
    else:
        with pytest.raises(SphinxError) as caught:
            recover_plaintext(journey.walk(bytes(packet)).payload)
        assert caught.value.kind is SphinxErrorKind.INVALID_PAYLOAD


def test_another_nodes_key_does_not_open_the_header() -> None:
    journey = four_hops()
    packet = build_packet(journey.material(), bytes(21), PacketSize.ACK)
    with pytest.raises(SphinxError) as caught:
        partially_unwrap(packet, journey.nodes[1].private_key)
    assert caught.value.kind is SphinxErrorKind.INVALID_HEADER


def test_the_first_version_byte_is_ignored() -> None:
    routing = bytes([2, 0xAB, 0x01, 0x03]) + bytes(296)
    result = partially_unwrap(forge(b"a" * 32, routing, bytes(40)), NODE_KEY).finish()
    assert result.version == 259
