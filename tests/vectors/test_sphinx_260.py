"""sphinx_260.json: Sphinx version 260 as sphinx-packet 0.8.0 makes, uses, carries and reads it."""

from __future__ import annotations

from typing import Any

import pytest

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.messages.reply_surbs import ReplySurb
from nymproxy.mixnet.sphinx import (
    FinalHop,
    ForwardHop,
    HeaderMaterial,
    Hop,
    KeyRotation,
    NodeAddress,
    Surb,
    build_header,
    partially_unwrap,
    recover_plaintext,
)
from nymproxy.mixnet.sphinx.payload import seal_payload
from nymproxy.mixnet.sphinx.single_seed import (
    SINGLE_SEED_VERSION,
    SurbRecovery,
    single_seed_surb,
)
from tests.vectors.files import load

FILE = load("sphinx_260.json")
SURBS: list[dict[str, Any]] = FILE["surbs"]


def unhex(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case[name])


def name(case: dict[str, Any]) -> str:
    return str(case["name"])


def header_of(case: dict[str, Any], padding: bytes) -> HeaderMaterial:
    route = [
        Hop(NodeAddress.unpack(unhex(hop, "address"))[0], unhex(hop, "public_key"))
        for hop in case["route"]
    ]
    return build_header(
        route,
        [int(delay) for delay in case["delays_ns"]],
        unhex(case, "destination"),
        rotation=KeyRotation.UNKNOWN,
        random_bytes=bytes,
        version=case["version"],
        identifier=unhex(case, "identifier"),
        initial_secret=unhex(case, "initial_secret"),
        final_padding=padding,
    )


def carry(case: dict[str, Any]) -> FinalHop:
    """Let each node do its part; return what comes out of the last one."""
    packet, forwarded = unhex(case, "packet"), list(case["forwarded"])
    for hop in case["route"]:
        result = partially_unwrap(packet, unhex(hop, "private_key")).finish()
        assert result.version == SINGLE_SEED_VERSION
        if isinstance(result, FinalHop):
            assert not forwarded
            assert result.identifier == unhex(case, "identifier")
            return result
        assert isinstance(result, ForwardHop)
        packet = result.packet
        assert packet.hex() == forwarded.pop(0)
    raise AssertionError("the route is longer than the packet's")


@pytest.mark.parametrize("case", FILE["packets"], ids=name)
def test_nodes_carry_packets_as_those_of_259(case: dict[str, Any]) -> None:
    assert recover_plaintext(carry(case).payload) == unhex(case, "message")


@pytest.mark.parametrize("case", SURBS, ids=name)
def test_who_uses_one_puts_a_single_layer_on(case: dict[str, Any]) -> None:
    surb = Surb.parse(unhex(case, "surb"))
    assert len(surb.key_material) == case["materials_count"] == 1
    assert surb.to_bytes().hex() == case["surb"]
    payload = surb.seal(unhex(case, "message"), case["payload_size"])
    assert (surb.header + payload).hex() == case["packet"]
    # As clients have it: an encryption key before it, and of as many hops as it has seeds.
    assert ReplySurb.parse(bytes(16) + unhex(case, "surb"), KeyRotation.ODD).hops == 1


@pytest.mark.parametrize("case", SURBS, ids=name)
def test_only_its_creator_reads_the_reply(case: dict[str, Any]) -> None:
    sealed = carry(case).payload
    assert sealed.hex() == case["sealed"]
    recovery = SurbRecovery.parse(unhex(case, "recovery"))
    assert recovery.to_bytes().hex() == case["recovery"]
    assert recovery.identifier == unhex(case, "identifier")
    assert recovery.recover(sealed) == unhex(case, "message")
    if len(case["route"]) > 1:
        with pytest.raises(SphinxError):
            recover_plaintext(sealed)
    for other in SURBS:
        if other is not case:
            with pytest.raises(SphinxError):
                SurbRecovery.parse(unhex(other, "recovery")).recover(sealed)


@pytest.mark.parametrize("case", SURBS, ids=name)
def test_what_we_make_has_the_same_keys_and_is_read_again(case: dict[str, Any]) -> None:
    """The padding of the last hop is random, and so the rest of the header is another one."""
    padding = bytes(60 * (5 - len(case["route"])) + 8)
    material = header_of(case, padding)
    surb, recovery = single_seed_surb(material, unhex(case, "identifier"))
    assert recovery.to_bytes().hex() == case["recovery"]
    assert surb.key_material == Surb.parse(unhex(case, "surb")).key_material
    assert surb.header[:32] == unhex(case, "surb")[:32]
    message = unhex(case, "message")
    ours = surb.header + surb.seal(message, case["payload_size"])
    for hop in case["route"]:
        result = partially_unwrap(ours, unhex(hop, "private_key")).finish()
        if isinstance(result, ForwardHop):
            ours = result.packet
    assert isinstance(result, FinalHop)
    assert recovery.recover(result.payload) == message


@pytest.mark.parametrize("case", FILE["recovery_parse"], ids=lambda case: str(case["length"]))
def test_lengths_of_what_is_kept(case: dict[str, Any]) -> None:
    data = b"\x01" * case["length"]
    if case["error"] is None:
        assert len(SurbRecovery.parse(data).seeds) == case["hops"]
        return
    assert case["error"] == "InvalidSURB"
    with pytest.raises(SphinxError) as caught:
        SurbRecovery.parse(data)
    assert caught.value.kind is SphinxErrorKind.INVALID_SURB


def test_an_identifier_of_zeros_finds_nothing() -> None:
    material = header_of(SURBS[0], bytes(68))
    for identifier in (bytes(16), b"\x01" * 15):
        with pytest.raises(SphinxError):
            single_seed_surb(material, identifier)


def test_a_payload_that_was_never_sealed_is_refused() -> None:
    recovery = SurbRecovery.parse(unhex(SURBS[0], "recovery"))
    with pytest.raises(SphinxError):
        recovery.recover(seal_payload(b"hello", 100, []))
