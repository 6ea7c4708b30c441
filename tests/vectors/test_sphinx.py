"""sphinx.json, and what pipeline.json and nodes.json say about packets and addresses."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx import (
    FinalHop,
    ForwardHop,
    KeyRotation,
    NodeAddress,
    PacketSize,
    Surb,
    constants,
    partially_unwrap,
    primitives,
    recover_plaintext,
)
from nymproxy.mixnet.sphinx.constants import LEGACY_VERSIONS
from nymproxy.mixnet.sphinx.header import assemble_header
from nymproxy.mixnet.sphinx.keys import (
    BLINDING_FACTOR,
    EXPANSION_INFO,
    MAC_KEY,
    PAYLOAD_KEY,
    PAYLOAD_KEY_INFO,
    PAYLOAD_KEY_SALT,
    PAYLOAD_KEY_SEED,
    REPLAY_TAG,
    STREAM_KEY,
    derive_payload_key,
    expand_route,
    expand_secret,
    payload_key,
)
from nymproxy.mixnet.sphinx.payload import lioness_decrypt, lioness_encrypt, seal_payload
from tests.vectors.files import is_newer, load

SPHINX = load("sphinx.json")
PIPELINE = load("pipeline.json")
NODES = load("nodes.json")

KINDS = {
    "InvalidPacket": SphinxErrorKind.INVALID_PACKET,
    "InvalidHeader": SphinxErrorKind.INVALID_HEADER,
    "InvalidRouting": SphinxErrorKind.INVALID_ROUTING,
    "InvalidPayload": SphinxErrorKind.INVALID_PAYLOAD,
    "InvalidSURB": SphinxErrorKind.INVALID_SURB,
}

WHOLE_KEYS = range(
    constants.PAYLOAD_KEY_LENGTH,
    constants.MAX_HOPS * constants.PAYLOAD_KEY_LENGTH + 1,
    constants.PAYLOAD_KEY_LENGTH,
)
TOO_MANY_SEEDS = range(
    (constants.MAX_HOPS + 1) * constants.PAYLOAD_KEY_SEED_LENGTH,
    constants.PAYLOAD_KEY_LENGTH,
    constants.PAYLOAD_KEY_SEED_LENGTH,
)
"""Lengths of key material in SURBs that 1.21.6 reads and sphinx-packet 0.8.0 refuses."""


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def name(case: dict[str, Any]) -> str:
    return str(case["name"])


def test_constants() -> None:
    assert SPHINX["constants"] == {
        "HEADER_SIZE": constants.HEADER_LENGTH,
        "PAYLOAD_OVERHEAD_SIZE": constants.PAYLOAD_OVERHEAD,
        "MAX_PATH_LENGTH": constants.MAX_HOPS,
        "NODE_META_INFO_SIZE": constants.HOP_BLOCK_LENGTH - constants.MAC_LENGTH,
        "FINAL_NODE_META_INFO_LENGTH": constants.FINAL_BLOCK_LENGTH,
        "STREAM_CIPHER_OUTPUT_LENGTH": constants.KEYSTREAM_LENGTH,
        "EXPANDED_SHARED_SECRET_LENGTH": constants.EXPANDED_SECRET_LENGTH,
        "PAYLOAD_KEY_SIZE": constants.PAYLOAD_KEY_LENGTH,
        "PAYLOAD_KEY_SEED_SIZE": constants.PAYLOAD_KEY_SEED_LENGTH,
        "REPLAY_TAG_SIZE": REPLAY_TAG.stop - REPLAY_TAG.start,
        "hkdf_info_expand": EXPANSION_INFO.hex(),
        "hkdf_salt_expand": "",
        "hkdf_info_payload_key": PAYLOAD_KEY_INFO.hex(),
        "hkdf_salt_payload_key": PAYLOAD_KEY_SALT.hex(),
    }


@pytest.mark.parametrize("case", SPHINX["lioness"])
def test_lioness(case: dict[str, Any]) -> None:
    key, block = unhex(case["key"]), unhex(case["input"])
    assert lioness_encrypt(key, block).hex() == case["encrypted"]
    assert lioness_decrypt(key, block).hex() == case["decrypted_of_input"]


@pytest.mark.parametrize("case", SPHINX["keystream"])
def test_keystream(case: dict[str, Any]) -> None:
    assert primitives.keystream(unhex(case["key"])).hex() == case["keystream_360"]


@pytest.mark.parametrize("case", SPHINX["header_mac"])
def test_header_mac(case: dict[str, Any]) -> None:
    assert primitives.hmac16(unhex(case["key"]), unhex(case["data"])).hex() == case["mac_16"]


@pytest.mark.parametrize("case", SPHINX["payload_key_derivation"])
def test_payload_key_derivation(case: dict[str, Any]) -> None:
    assert derive_payload_key(unhex(case["seed"])).hex() == case["payload_key"]


@pytest.mark.parametrize("case", SPHINX["shared_secret_expansion"])
def test_shared_secret_expansion(case: dict[str, Any]) -> None:
    shared = primitives.x25519(unhex(case["private_key"]), unhex(case["alpha"]))
    secret = expand_secret(shared)
    assert shared.hex() == case["shared_secret"]
    assert secret.hex() == case["expanded_secret"]
    assert secret[STREAM_KEY].hex() == case["stream_cipher_key"]
    assert secret[MAC_KEY].hex() == case["mac_key"]
    assert secret[PAYLOAD_KEY].hex() == case["explicit_payload_key"]
    assert secret[PAYLOAD_KEY_SEED].hex() == case["payload_key_seed"]
    assert secret[BLINDING_FACTOR].hex() == case["blinding_factor"]
    assert secret[REPLAY_TAG].hex() == case["replay_tag"]


def build(case: dict[str, Any]) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the header and key material that the case's inputs give.

    The pieces are put together here, because the recorded addresses are opaque 32 bytes.
    """
    alpha, secrets = expand_route(
        [unhex(hop["public_key"]) for hop in case["route"]], unhex(case["initial_secret"])
    )
    recorded = case.get("sender_expanded_secrets", [])
    for secret, expected in zip(secrets, recorded, strict=False):
        assert secret == unhex(expected)[: len(secret)]
    header = assemble_header(
        alpha,
        secrets,
        [unhex(hop["address"]) for hop in case["route"]],
        [int(delay) for delay in case["delays_ns"]],
        unhex(case["destination"] + case["identifier"] + case["final_padding"]),
        case["version"],
    )
    area = PAYLOAD_KEY if case["version"] == 258 else PAYLOAD_KEY_SEED
    return header, tuple(secret[area] for secret in secrets)


def check_hops(case: dict[str, Any]) -> None:
    packet = unhex(case["packet"])
    for hop, expected in zip(case["route"], case["hops"], strict=True):
        private_key = unhex(hop["private_key"])
        assert primitives.x25519(private_key, packet[:32]).hex() == expected["shared_secret"]
        secret = expand_secret(unhex(expected["shared_secret"]))
        assert secret.hex() == expected["expanded_secret"]
        partial = partially_unwrap(packet, private_key)
        assert partial.replay_tag.hex() == expected["replay_tag"]
        result = partial.finish()
        assert result.version == expected["version"]
        if expected["kind"] == "forward":
            assert isinstance(result, ForwardHop)
            check_forward(result, expected)
            packet = result.packet
        else:
            assert isinstance(result, FinalHop)
            check_final(result, expected)


def check_forward(result: ForwardHop, expected: dict[str, Any]) -> None:
    assert result.next_hop.hex() == expected["next_hop_address"]
    assert result.delay_ns == int(expected["delay_ns"])
    assert result.packet[:348].hex() == expected["next_header"]
    assert hashlib.sha256(result.packet[348:]).hexdigest() == expected["next_payload_sha256"]
    if "next_packet" in expected:
        assert result.packet.hex() == expected["next_packet"]


def check_final(result: FinalHop, expected: dict[str, Any]) -> None:
    assert result.destination.hex() == expected["destination"]
    assert result.identifier.hex() == expected["identifier"]
    assert hashlib.sha256(result.payload).hexdigest() == expected["payload_sha256"]
    assert result.payload[:64].hex() == expected["payload_first_64"]
    if expected.get("recover_error"):
        with pytest.raises(SphinxError) as caught:
            recover_plaintext(result.payload)
        assert caught.value.kind is KINDS[expected["recover_error"]]
    else:
        assert recover_plaintext(result.payload).hex() == expected["recovered_plaintext"]


@pytest.mark.parametrize(
    "case",
    [case for case in SPHINX["packets"] if case["version"] not in LEGACY_VERSIONS],
    ids=name,
)
def test_packets_are_built(case: dict[str, Any]) -> None:
    header, materials = build(case)
    payload = seal_payload(
        unhex(case["message"]),
        case["payload_size"],
        [payload_key(material) for material in materials],
    )
    assert (header + payload).hex() == case["packet"]


@pytest.mark.parametrize("case", SPHINX["packets"], ids=name)
def test_packets_are_processed(case: dict[str, Any]) -> None:
    check_hops(case)


@pytest.mark.parametrize("case", SPHINX["surbs"], ids=name)
def test_surbs(case: dict[str, Any]) -> None:
    data = unhex(case["surb"])
    surb = Surb.parse(data)
    assert len(data) == case["surb_len"]
    assert surb.to_bytes() == data
    assert len(surb.key_material) == case["materials_count"]
    assert all((len(key) == 16) is case["uses_key_seeds"] for key in surb.key_material)
    assert surb.first_hop_field.hex() == case["first_hop_address"]
    packet = surb.header + surb.seal(unhex(case["message"]), case["payload_size"])
    assert packet.hex() == case["packet"]
    check_hops(case)
    if case["version"] not in LEGACY_VERSIONS:
        header, materials = build(case)
        assert Surb(header, unhex(case["route"][0]["address"]), materials) == surb


@pytest.mark.parametrize("case", SPHINX["processing_results"], ids=name)
def test_processing_results(case: dict[str, Any]) -> None:
    packet, private_key, expected = (
        unhex(case["packet"]),
        unhex(case["private_key"]),
        case["result"],
    )
    if expected["error"] is None:
        result = partially_unwrap(packet, private_key).finish()
        if expected["stage"] == "ok-forward":
            assert isinstance(result, ForwardHop)
        else:
            assert isinstance(result, FinalHop)
            assert recover_plaintext(result.payload).hex() == expected["plaintext"]
    elif expected["stage"] == "recover":
        result = partially_unwrap(packet, private_key).finish()
        assert isinstance(result, FinalHop)
        with pytest.raises(SphinxError) as caught:
            recover_plaintext(result.payload)
        assert caught.value.kind is KINDS[expected["error"]]
    else:
        with pytest.raises(SphinxError) as caught:
            partially_unwrap(packet, private_key).finish()
        assert caught.value.kind is KINDS[expected["error"]]


@pytest.mark.parametrize("case", SPHINX["build_errors"], ids=name)
def test_build_errors(case: dict[str, Any]) -> None:
    message, keys = bytes(case["message_len"]), [bytes(192)]
    if case["error"] is None:
        assert len(seal_payload(message, case["payload_size"], keys)) == case["payload_size"]
    else:
        with pytest.raises(SphinxError) as caught:
            seal_payload(message, case["payload_size"], keys)
        assert caught.value.kind is KINDS[case["error"]]


@pytest.mark.parametrize("case", SPHINX["surb_parse"], ids=lambda case: case["key_material_len"])
def test_surb_parse(case: dict[str, Any]) -> None:
    data = bytes(380 + case["key_material_len"])
    length = case["key_material_len"]
    if is_newer("sphinx.json") and (length in WHOLE_KEYS or length in TOO_MANY_SEEDS):
        # A peer of 1.21.6 that is asked to may still send whole keys.
        assert case["error"] == "InvalidSURB"
        size = 192 if length in WHOLE_KEYS else 16
        assert [len(key) for key in Surb.parse(data).key_material] == [size] * (length // size)
    elif case["error"] is None:
        surb = Surb.parse(data)
        assert len(surb.key_material) == case["materials_count"]
        assert (len(surb.key_material[0]) == 16) is case["uses_key_seeds"]
    else:
        with pytest.raises(SphinxError) as caught:
            Surb.parse(data)
        assert caught.value.kind is KINDS[case["error"]]


@pytest.mark.parametrize(
    "case", PIPELINE["node_addresses"], ids=lambda case: re.sub(r"[^\w.]", "_", case["address"])
)
def test_node_addresses(case: dict[str, Any]) -> None:
    host, _, port = case["address"].rpartition(":")
    address = NodeAddress.parse(host.strip("[]"), int(port))
    assert address.pack().hex() == case["bytes"]
    assert address.pad(19).hex() == case["padded19"]
    assert address.pad(32).hex() == case["padded32"]
    for field in ("bytes", "padded19", "padded32"):
        assert NodeAddress.unpack(unhex(case[field])) == (address, len(address.pack()))


@pytest.mark.parametrize("case", PIPELINE["packet_sizes"], ids=name)
def test_packet_sizes(case: dict[str, Any]) -> None:
    size = PacketSize[case["name"].upper()]
    assert size is PacketSize.from_tag(case["tag"]) is PacketSize.from_packet_length(case["size"])
    assert size.packet_length == case["size"]
    assert size.payload_length == case["payload_size"]
    assert size.plaintext_length == case["plaintext_size"]
    assert case["header"] == constants.HEADER_LENGTH
    assert case["payload_overhead"] == constants.PAYLOAD_OVERHEAD


@pytest.mark.parametrize("case", NODES["sizes"], ids=name)
def test_sizes_at_nodes(case: dict[str, Any]) -> None:
    size = PacketSize.from_tag(case["tag"])
    assert size.name.lower() == case["name"]
    assert (size.plaintext_length, size.payload_length, size.packet_length) == (
        case["plaintext"],
        case["payload"],
        case["size"],
    )


@pytest.mark.parametrize(
    ("rotation_id", "byte"),
    [(case["rotation_id"], case["byte"]) for case in PIPELINE["key_rotation_bytes"]]
    + [(case["id"], case["byte"]) for case in NODES["rotations"]],
)
def test_key_rotation_markers(rotation_id: int, byte: int) -> None:
    assert KeyRotation.from_rotation_id(rotation_id) == byte
