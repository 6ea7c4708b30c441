"""Packets and headers: what is built is what the nodes read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx import (
    Hop,
    KeyRotation,
    NodeAddress,
    PacketSize,
    PreparedHeader,
    build_header,
    build_packet,
    partially_unwrap,
    recover_plaintext,
)
from nymproxy.mixnet.sphinx.header import final_padding_length
from nymproxy.mixnet.sphinx.payload import seal_payload
from tests.sphinx.routes import Journey, four_hops, journeys, seeded


@given(journeys(), st.sampled_from([PacketSize.REGULAR, PacketSize.ACK]), st.randoms())
def test_round_trip_of_whole_packets(journey: Journey, size: PacketSize, source: Any) -> None:
    plaintext = source.randbytes(size.plaintext_length)
    packet = build_packet(journey.material(), plaintext, size)
    assert len(packet) == size.packet_length
    final = journey.walk(packet)
    assert final.version == 259
    assert recover_plaintext(final.payload) == plaintext


@settings(max_examples=10)
@given(journeys(), st.sampled_from(list(PacketSize)))
def test_every_size(journey: Journey, size: PacketSize) -> None:
    plaintext = seeded(journey.seed)(size.plaintext_length)
    final = journey.walk(build_packet(journey.material(), plaintext, size))
    assert recover_plaintext(final.payload) == plaintext


@given(journeys(), st.sampled_from([0, 256, 258, 260, 30583, 0xFFFF]), st.binary(max_size=100))
def test_other_versions_can_be_built_for_tests(
    journey: Journey, version: int, plaintext: bytes
) -> None:
    material = journey.material(version)
    payload = seal_payload(plaintext, 150, material.payload_keys())
    final = journey.walk(material.header + payload)
    assert final.version == version
    assert recover_plaintext(final.payload) == plaintext


@given(journeys())
def test_a_prepared_header_makes_the_same_packet(journey: Journey) -> None:
    material, plaintext = journey.material(), bytes(21)
    prepared = PreparedHeader.from_material(material)
    assert prepared.header == material.header
    assert prepared.first_hop == material.first_hop == journey.nodes[0].address
    assert prepared.rotation is material.rotation is KeyRotation.ODD
    assert prepared.delay_ns == material.delay_ns == sum(journey.delays_ns[:-1])
    assert prepared.payload_keys() == material.payload_keys()
    assert build_packet(prepared, plaintext, PacketSize.ACK) == build_packet(
        material, plaintext, PacketSize.ACK
    )


def test_every_packet_is_new() -> None:
    journey = four_hops()
    hops = [node.hop for node in journey.nodes]
    random_bytes = seeded(7)
    packets = {
        build_packet(
            build_header(
                hops,
                [0] * 4,
                bytes(32),
                rotation=KeyRotation.EVEN,
                random_bytes=random_bytes,
            ),
            bytes(21),
            PacketSize.ACK,
        )
        for _ in range(5)
    }
    assert len({packet[:32] for packet in packets}) == 5
    tags = {partially_unwrap(p, journey.nodes[0].private_key).replay_tag for p in packets}
    assert len(tags) == 5


def test_the_randomness_drawn_is_the_secret_and_the_padding() -> None:
    journey = four_hops()
    drawn: list[int] = []

    def random_bytes(count: int) -> bytes:
        drawn.append(count)
        return bytes([len(drawn)]) * count

    hops = [node.hop for node in journey.nodes]
    material = build_header(
        hops, [5] * 4, bytes(32), rotation=KeyRotation.ODD, random_bytes=random_bytes
    )
    again = build_header(
        hops,
        [5] * 4,
        bytes(32),
        rotation=KeyRotation.ODD,
        random_bytes=random_bytes,
        initial_secret=b"\x01" * 32,
        final_padding=b"\x02" * final_padding_length(4),
    )
    assert drawn == [32, 68]
    assert again == material


@pytest.mark.parametrize(
    "change",
    [
        {"route": 0, "delays": 0},
        {"route": 6, "delays": 6},
        {"delays": 3},
        {"delay": -1},
        {"delay": 2**64},
        {"destination": b"short"},
        {"version": 1},
        {"version": 257},
        {"version": 65536},
    ],
    ids=str,
)
def test_routes_that_cannot_be_built(change: dict[str, Any]) -> None:
    hop = four_hops().nodes[0].hop
    with pytest.raises(SphinxError) as caught:
        build_header(
            [hop] * change.get("route", 4),
            [change.get("delay", 0)] * change.get("delays", 4),
            change.get("destination", bytes(32)),
            rotation=KeyRotation.ODD,
            random_bytes=seeded(1),
            version=change.get("version", 259),
        )
    assert caught.value.kind is SphinxErrorKind.INVALID_ROUTE


def test_a_low_order_node_key_is_named() -> None:
    journey = four_hops()
    route = [*(node.hop for node in journey.nodes[:3]), Hop(journey.nodes[3].address, bytes(32))]
    with pytest.raises(SphinxError, match="hop 4") as caught:
        build_header(route, [0] * 4, bytes(32), rotation=KeyRotation.ODD, random_bytes=seeded(1))
    assert caught.value.kind is SphinxErrorKind.UNUSABLE_KEY


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hop_needs_a_whole_key(length: int) -> None:
    with pytest.raises(SphinxError) as caught:
        Hop(NodeAddress.parse("127.0.0.1", 1), bytes(length))
    assert caught.value.kind is SphinxErrorKind.UNUSABLE_KEY


@pytest.mark.parametrize("length", [0, 20, 22])
def test_a_plaintext_must_fill_the_packet(length: int) -> None:
    with pytest.raises(SphinxError) as caught:
        build_packet(four_hops().material(), bytes(length), PacketSize.ACK)
    assert caught.value.kind is SphinxErrorKind.INVALID_PAYLOAD


def test_nothing_secret_is_in_a_repr() -> None:
    material = four_hops().material()
    partial = partially_unwrap(
        build_packet(material, bytes(21), PacketSize.ACK), four_hops().nodes[0].private_key
    )
    for thing in (material, PreparedHeader.from_material(material), partial, partial.finish()):
        assert "object at" in repr(thing)
