"""pipeline.json: encryption, acks, reply SURBs, mix packets, and whole packets hop by hop."""

from __future__ import annotations

from typing import Any

import pytest

from nymproxy import _base58
from nymproxy.address import NymAddress, SenderTag
from nymproxy.mixnet.messages import (
    AckKey,
    AckReceived,
    CoverReceived,
    Fragment,
    FragmentKey,
    InboundDecoder,
    InboundEvent,
    MessageReceived,
    MixPacket,
    PacketOpener,
    ReplyKeyStore,
    ReplySurb,
    SurbAck,
    SurbsReceived,
    detach_ack,
    fragment_id,
    fragment_length,
    seal_fragment,
    seal_reply_fragment,
)
from nymproxy.mixnet.messages.cover import COVER_MARKER
from nymproxy.mixnet.messages.fragments import FragmentSetId
from nymproxy.mixnet.messages.payload import (
    apply_payload_key,
    derive_payload_key,
    open_fragment,
    reply_key_digest,
)
from nymproxy.mixnet.sphinx import (
    FinalHop,
    ForwardHop,
    HeaderMaterial,
    Hop,
    KeyRotation,
    NodeAddress,
    PacketSize,
    build_header,
    partially_unwrap,
    recover_plaintext,
)
from tests.vectors.files import load

PIPELINE = load("pipeline.json")
NODES = {node["node_id"]: node for node in PIPELINE["topology"]["nodes"]}
CLIENTS = PIPELINE["clients"]


def node_address(text: str) -> NodeAddress:
    host, _, port = text.rpartition(":")
    return NodeAddress.parse(host.strip("[]"), int(port))


def node_at(address: NodeAddress) -> dict[str, Any]:
    (node,) = [n for n in NODES.values() if node_address(n["mix_host"]) == address]
    return dict(node)


def travel(packet: bytes, hops: list[dict[str, Any]]) -> tuple[FinalHop, int]:
    """Unwrap a packet at the recorded hops; return the last one and the delays added up."""
    delay_ns = 0
    for hop in hops:
        private_key = bytes.fromhex(NODES[hop["node_id"]]["sphinx_private"])
        unwrapped = partially_unwrap(packet, private_key).finish()
        assert unwrapped.version == hop["sphinx_version"]
        if isinstance(unwrapped, FinalHop):
            assert hop["final"]
            assert unwrapped.destination.hex() == hop["destination"]
            assert unwrapped.identifier.hex() == hop["surb_identifier"]
            return unwrapped, delay_ns
        assert isinstance(unwrapped, ForwardHop)
        assert unwrapped.address == node_address(hop["next"])
        assert unwrapped.delay_ns == int(hop["delay_nanos"])
        delay_ns += unwrapped.delay_ns
        packet = unwrapped.packet
    pytest.fail("the recorded route has no last hop")


def decoder_of(client: dict[str, Any], reply_keys: ReplyKeyStore | None = None) -> InboundDecoder:
    opener = PacketOpener(
        bytes.fromhex(client["encryption_private"]),
        AckKey(bytes.fromhex(client["ack_key"])),
        ReplyKeyStore() if reply_keys is None else reply_keys,
    )
    return InboundDecoder(opener)


@pytest.mark.parametrize("case", PIPELINE["ack_identifiers"], ids=lambda case: case["iv"])
def test_ack_identifiers(case: dict[str, Any]) -> None:
    key = AckKey(bytes.fromhex(case["ack_key"]))
    identifier = fragment_id(FragmentSetId(case["set_id"]), case["fragment_position"])
    assert identifier.hex() == case["fragment_identifier"]
    payload = key.seal(identifier, lambda _: bytes.fromhex(case["iv"]))
    assert payload.hex() == case["ack_payload"]
    assert key.open(payload) == (identifier if case["set_id"] else None)


@pytest.mark.parametrize(
    "case", PIPELINE["regular_payloads"], ids=lambda case: case["ephemeral_public"]
)
def test_regular_payloads(case: dict[str, Any]) -> None:
    recipient = CLIENTS[case["to"]]
    shared_secret = bytes.fromhex(case["dh_shared_secret"])
    assert derive_payload_key(shared_secret).hex() == case["derived_key"]
    plaintext = seal_fragment(
        bytes.fromhex(case["fragment"]),
        SurbAck(bytes.fromhex(case["surb_ack_bytes"]), 0),
        FragmentKey.draw(
            bytes.fromhex(recipient["encryption_public"]),
            lambda _: bytes.fromhex(case["ephemeral_private"]),
        ),
    )
    assert plaintext.hex() == case["sphinx_plaintext"]
    pushed = detach_ack(plaintext).pushed
    assert pushed.hex() == case["delivered_to_client"]
    fragment = open_fragment(pushed, bytes.fromhex(recipient["encryption_private"]))
    assert fragment.hex() == case["fragment"]


@pytest.mark.parametrize("case", PIPELINE["mix_packets"])
def test_mix_packets(case: dict[str, Any]) -> None:
    next_hop = node_address(case["next_hop"])
    rotation = KeyRotation(case["key_rotation"])
    packet = MixPacket(next_hop, rotation, bytes(case["sphinx_packet_len"]))
    assert packet.encode_v1() == bytes.fromhex(case["v1_prefix"]) + packet.packet
    assert packet.encode_v2() == bytes.fromhex(case["v2_prefix"]) + packet.packet
    assert MixPacket.decode_v2(packet.encode_v2()) == packet
    decoded_v1 = MixPacket.decode_v1(packet.encode_v1())
    assert decoded_v1 == MixPacket(next_hop, KeyRotation.UNKNOWN, packet.packet)


@pytest.mark.parametrize("case", PIPELINE["surb_acks"], ids=lambda case: case["first_hop"])
def test_surb_acks(case: dict[str, Any]) -> None:
    block = bytes.fromhex(case["surb_ack_bytes"])
    assert len(block) == PIPELINE["surb_ack_len"]
    ack = detach_ack(block)
    assert ack.pushed == b""
    assert ack.first_hop == node_address(case["first_hop"])
    assert ack.packet.hex() == case["ack_sphinx_packet"]
    final, delay_ns = travel(ack.packet, case["unwrapped_hops"])
    assert delay_ns == int(case["expected_total_delay_nanos"])
    delivered = recover_plaintext(final.payload)
    assert delivered.hex() == case["delivered_to_client"]
    events = decoder_of(CLIENTS[case["owner"]]).receive(delivered, now=0)
    assert [event.fragment_id.hex() for event in acks(events)] == [case["fragment_identifier"]]


def acks(events: list[InboundEvent]) -> list[AckReceived]:
    return [event for event in events if isinstance(event, AckReceived)]


def recorded_surbs() -> list[dict[str, Any]]:
    section = PIPELINE["reply_surbs"].values()
    return [surb for surb in section if isinstance(surb, dict)]


@pytest.mark.parametrize("case", recorded_surbs(), ids=lambda case: case["reply_surb_len"])
def test_reply_surbs_read_back(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["reply_surb_bytes"])
    surb = ReplySurb.parse(encoded, KeyRotation(case["key_rotation"]))
    assert surb.to_bytes() == encoded
    assert len(encoded) == case["reply_surb_len"]
    assert surb.surb.to_bytes().hex() == case["surb_bytes"]
    assert surb.encryption_key.hex() == case["encryption_key"]
    assert surb.key_digest.hex() == case["encryption_key_digest"]
    assert surb.first_hop == node_address(case["first_hop"])
    assert surb.hops == case["hops"]


def test_the_text_form_of_a_reply_surb() -> None:
    case = PIPELINE["reply_surbs"]["v2_four_hops"]
    text = PIPELINE["reply_surbs"]["v2_four_hops_base58"]
    assert _base58.encode(bytes.fromhex(case["reply_surb_bytes"])) == text


def header_of(surb: dict[str, Any], owner: dict[str, Any]) -> HeaderMaterial:
    """Rebuild the header of a recorded SURB. Its padding was random, so only the rest agrees."""
    nodes = [NODES[node_id] for node_id in surb["route_node_ids"]]
    route = [
        Hop(node_address(node["mix_host"]), bytes.fromhex(node["sphinx_public"])) for node in nodes
    ]
    return build_header(
        route,
        [int(delay) for delay in surb["delays_nanos"]],
        bytes.fromhex(owner["identity_public"]),
        rotation=KeyRotation(surb["key_rotation"]),
        random_bytes=bytes,
        version=surb["sphinx_version"],
        initial_secret=bytes.fromhex(surb["initial_secret"]),
    )


@pytest.mark.parametrize("case", recorded_surbs(), ids=lambda case: case["reply_surb_len"])
def test_reply_surbs_are_made_the_same_way(case: dict[str, Any]) -> None:
    header = header_of(case, CLIENTS[PIPELINE["reply_surbs"]["owner"]])
    surb = ReplySurb.create(header, lambda _: bytes.fromhex(case["encryption_key"]))
    recorded = ReplySurb.parse(bytes.fromhex(case["reply_surb_bytes"]), surb.rotation)
    assert len(surb.to_bytes()) == case["reply_surb_len"]
    assert surb.surb.header[:32] == recorded.surb.header[:32]
    assert surb.surb.key_material == recorded.surb.key_material
    assert surb.first_hop == recorded.first_hop


@pytest.mark.parametrize(
    "case", PIPELINE["reply_payloads"], ids=lambda case: case["surb"]["reply_surb_len"]
)
def test_reply_payloads(case: dict[str, Any]) -> None:
    recorded = case["surb"]
    surb = ReplySurb.parse(
        bytes.fromhex(recorded["reply_surb_bytes"]), KeyRotation(recorded["key_rotation"])
    )
    fragment = bytes.fromhex(case["fragment"])
    block = bytes.fromhex(case["sphinx_plaintext"])[: PIPELINE["surb_ack_len"]]
    plaintext = seal_reply_fragment(fragment, SurbAck(block, 0), surb.encryption_key)
    assert plaintext.hex() == case["sphinx_plaintext"]
    size = PacketSize.from_packet_length(len(case["sphinx_packet"]) // 2)
    packet = surb.surb.use(plaintext, size)
    assert packet.hex() == case["sphinx_packet"]
    mix_packet = MixPacket(surb.first_hop, surb.rotation, packet)
    assert mix_packet.encode_v1().hex() == case["mix_packet_v1"]
    assert mix_packet.encode_v2().hex() == case["mix_packet_v2"]

    final, _ = travel(packet, case["unwrapped_hops"])
    assert final.destination.hex() == case["destination"]
    pushed = detach_ack(recover_plaintext(final.payload)).pushed
    assert pushed.hex() == case["delivered_to_client"]
    assert apply_payload_key(surb.encryption_key, pushed[32:]) == fragment

    reply_keys = ReplyKeyStore()
    reply_keys.add([surb.encryption_key], now=0)
    decoder = decoder_of(CLIENTS[case["to_owner_of_surb"]], reply_keys)
    (event,) = decoder.receive(pushed, now=0)
    assert isinstance(event, MessageReceived)
    assert event.sender_tag is None
    assert event.data in Fragment.parse(fragment).payload


@pytest.mark.parametrize("case", PIPELINE["end_to_end"], ids=lambda case: case["name"])
def test_end_to_end(case: dict[str, Any]) -> None:
    recipient, sender = decoder_of(CLIENTS[case["to"]]), decoder_of(CLIENTS[case["from"]])
    events: list[InboundEvent] = []
    for packet in case["packets"]:
        pushed = open_data_packet(packet, case["packet_size"])
        content = open_fragment(pushed, bytes.fromhex(CLIENTS[case["to"]]["encryption_private"]))
        assert content.hex() == packet["fragment"]
        assert Fragment.parse(content).id.hex() == packet["fragment_identifier"]
        assert Fragment.parse(content).set_id in case["used_sets"]
        events += recipient.receive(pushed, now=0)
        ack = bytes.fromhex(packet["ack_delivered_to_sender"])
        (acknowledged,) = acks(sender.receive(ack, now=0))
        assert acknowledged.fragment_id.hex() == packet["fragment_identifier"]
    check_events(events, case)
    assert not recipient.malformed


def open_data_packet(packet: dict[str, Any], size: str) -> bytes:
    """Carry a recorded packet and its ack through the network; return what is pushed."""
    mix_packet = MixPacket.decode_v2(bytes.fromhex(packet["mix_packet_v2"]))
    assert mix_packet.encode_v2().hex() == packet["mix_packet_v2"]
    assert PacketSize.from_packet_length(len(mix_packet.packet)).name == size.upper()
    assert mix_packet.rotation is KeyRotation.from_rotation_id(
        PIPELINE["topology"]["key_rotation_id"]
    )
    assert node_at(mix_packet.first_hop)["node_id"] == packet["unwrapped_hops"][0]["node_id"]
    final, delay_ns = travel(mix_packet.packet, packet["unwrapped_hops"])
    assert final.destination.hex() == packet["destination"]
    detached = detach_ack(recover_plaintext(final.payload))
    assert detached.pushed.hex() == packet["delivered_to_client"]
    ack_final, ack_delay_ns = travel(detached.packet, packet["ack_unwrapped_hops"])
    assert recover_plaintext(ack_final.payload).hex() == packet["ack_delivered_to_sender"]
    assert node_at(detached.first_hop)["node_id"] == packet["ack_unwrapped_hops"][0]["node_id"]
    if "total_delay_nanos" in packet:
        assert delay_ns + ack_delay_ns == int(packet["total_delay_nanos"])
    return detached.pushed


def check_events(events: list[InboundEvent], case: dict[str, Any]) -> None:
    tag = SenderTag(bytes.fromhex(case["sender_tag"])) if case["sender_tag"] else None
    if case["reply_surbs"]:
        surbs_event = events.pop(0)
        assert isinstance(surbs_event, SurbsReceived)
        assert surbs_event.sender_tag == tag
        for surb, expected in zip(surbs_event.surbs, case["reply_surbs"], strict=True):
            assert surb.to_bytes().hex() == expected["reply_surb_bytes"]
            assert surb.rotation == expected["key_rotation"]
            assert reply_key_digest(surb.encryption_key) == surb.key_digest
            assert surb.key_digest.hex() == expected["encryption_key_digest"]
    (message,) = events
    assert isinstance(message, MessageReceived)
    assert message.data.hex() == case["content"]
    assert len(message.data) == case["content_len"]
    assert message.sender_tag == tag


@pytest.mark.parametrize("case", PIPELINE["cover"], ids=lambda case: case["legacy_sphinx"])
def test_cover(case: dict[str, Any]) -> None:
    owner = CLIENTS[case["owner"]]
    pushed = open_data_packet(case, case["packet_size"])
    content = open_fragment(pushed, bytes.fromhex(owner["encryption_private"]))
    assert len(content) == case["decrypted_len"]
    assert len(content) == fragment_length(PacketSize[case["packet_size"].upper()])
    assert content[:32].hex() == case["decrypted_prefix32"]
    assert content.startswith(COVER_MARKER)
    assert (not any(content[32:])) == case["decrypted_tail_all_zero"]
    decoder = decoder_of(owner)
    assert decoder.receive(pushed, now=0) == [CoverReceived(is_ack=False)]
    ack = bytes.fromhex(case["ack_delivered_to_sender"])
    assert decoder.receive(ack, now=0) == [CoverReceived(is_ack=True)]


@pytest.mark.parametrize("client", CLIENTS.values(), ids=list(CLIENTS))
def test_clients(client: dict[str, Any]) -> None:
    address = NymAddress.parse(client["address"])
    assert address.to_bytes().hex() == client["recipient_bytes"]
    assert address.gateway.key.hex() == NODES[client["gateway_node_id"]]["identity_public"]
