"""Packets as they are handed to the gateway."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import MessageFormatError
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, PacketSize

addresses = st.builds(NodeAddress, st.ip_addresses(), st.integers(0, 65_535))
packets = st.builds(
    MixPacket,
    addresses,
    st.sampled_from(KeyRotation),
    st.sampled_from([bytes(size.packet_length) for size in PacketSize]),
)


@given(packets)
def test_a_packet_reads_back(packet: MixPacket) -> None:
    assert MixPacket.decode_v2(packet.encode_v2()) == packet
    without_rotation = MixPacket(packet.first_hop, KeyRotation.UNKNOWN, packet.packet)
    assert MixPacket.decode_v1(packet.encode_v1()) == without_rotation


@given(st.binary(max_size=40), st.sampled_from([0, 386, 2413, 2414]))
def test_any_bytes_decode_or_are_refused(start: bytes, tail: int) -> None:
    data = start + bytes(tail)
    for decode, encode in (
        (MixPacket.decode_v1, MixPacket.encode_v1),
        (MixPacket.decode_v2, MixPacket.encode_v2),
    ):
        try:
            packet = decode(data)
        except MessageFormatError:
            continue
        assert encode(packet) == data


@pytest.mark.parametrize(
    "start",
    [
        "",
        "00",
        "0003" + "0400010a000001",
        "0200" + "0400010a000001",
        "0000" + "0500010a000001",
        "0000" + "0400010a0000",
    ],
)
def test_malformed_packets_are_refused(start: str) -> None:
    with pytest.raises(MessageFormatError):
        MixPacket.decode_v2(bytes.fromhex(start) + bytes(2413 if len(start) == 18 else 0))


def test_a_length_that_no_packet_has_is_refused() -> None:
    packet = MixPacket(NodeAddress.parse("10.0.0.1", 1), KeyRotation.ODD, bytes(2412))
    with pytest.raises(MessageFormatError):
        MixPacket.decode_v2(packet.encode_v2())
