"""pipeline.json: message kinds, padding, fragments, splitting, reassembly."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import MessageFormatError
from nymproxy.mixnet.messages import (
    Fragment,
    FragmentSetId,
    NymMessage,
    PlainMessage,
    Reassembler,
    ReassemblyLimits,
    RepliableKind,
    RepliableMessage,
    ReplyMessage,
    ReplySurb,
    SurbRequest,
    decode_message,
    encode_message,
    fragment_length,
    fragments_needed,
)
from nymproxy.mixnet.messages.chunking import pad, remove_padding, sets_needed, split
from nymproxy.mixnet.sphinx import KeyRotation, PacketSize
from tests.vectors.files import load

PIPELINE = load("pipeline.json")
BY_NAME = {
    "regular": PacketSize.REGULAR,
    "extended8": PacketSize.EXTENDED8,
    "extended16": PacketSize.EXTENDED16,
    "extended32": PacketSize.EXTENDED32,
}


@pytest.mark.parametrize(
    "case",
    [case for case in PIPELINE["packet_sizes"] if case["name"] in BY_NAME],
    ids=lambda case: case["name"],
)
def test_packet_sizes(case: dict[str, Any]) -> None:
    length = fragment_length(BY_NAME[case["name"]])
    assert length == case["plain_or_repliable_sphinx_plaintext"]
    assert length == case["reply_sphinx_plaintext"]
    assert length - 1 == case["true_available_plaintext"] == case["reply_surb_max_msg_len"]
    assert length + 32 == case["delivered_to_client_len"]


@pytest.mark.parametrize("case", PIPELINE["fragment_capacity"])
def test_fragment_capacity(case: dict[str, Any]) -> None:
    needed = fragments_needed(case["message_len"], case["plaintext_per_packet"])
    assert needed == (case["fragments"], case["space_left"])


def pattern(length: int, a: int, b: int) -> bytes:
    return bytes((a * i + b + i // 256) % 256 for i in range(length))


@pytest.mark.parametrize("case", PIPELINE["splitting"], ids=lambda case: case["message_len"])
def test_splitting(case: dict[str, Any]) -> None:
    data = pattern(case["message_len"], case["pattern_a"], case["pattern_b"])
    set_ids = [FragmentSetId(set_id) for set_id in case["set_ids"]]
    assert sets_needed(len(data), case["plaintext_per_packet"]) == len(set_ids)
    fragments = split(data, case["plaintext_per_packet"], set_ids)
    assert len(fragments) == len(case["fragments"])
    for fragment, expected in zip(fragments, case["fragments"], strict=True):
        check_fragment(fragment, expected)


def check_fragment(fragment: Fragment, expected: dict[str, Any]) -> None:
    """Compare with a recorded fragment; large ones are recorded in part only."""
    encoded = fragment.to_bytes()
    assert len(fragment.payload) == expected["payload_len"]
    if "bytes" in expected:
        assert encoded.hex() == expected["bytes"]
        assert fragment.id.hex() == expected["fragment_identifier"]
        assert fragment.set_id == expected["set_id"]
        assert (fragment.position, fragment.total) == (expected["current"], expected["total"])
        assert fragment.previous_set_id == expected["previous_set_id"]
        assert fragment.next_set_id == expected["next_set_id"]
    else:
        assert encoded[: len(encoded) - len(fragment.payload)].hex() == expected["header"]
        assert fragment.payload[:8].hex() == expected["payload_first8"]


@pytest.mark.parametrize("case", PIPELINE["fragment_parsing"], ids=lambda case: case["bytes"])
def test_fragment_parsing(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["bytes"])
    if not case["valid"]:
        with pytest.raises(MessageFormatError):
            Fragment.parse(data)
        return
    fragment = Fragment.parse(data)
    check_fragment(fragment, case["fields"])
    assert fragment.payload.hex() == case["payload"]
    assert fragment.to_bytes() == data


def expected_message(case: dict[str, Any]) -> NymMessage:
    """Build the message that a case of the section ``messages`` describes."""
    content = bytes.fromhex(case.get("content", ""))
    if case["kind"].startswith("plain"):
        return PlainMessage(content)
    if case["kind"] == "reply_surb_request":
        return SurbRequest(NymAddress.parse(case["requester"]), case["amount"])
    if case["kind"].startswith("reply"):
        return ReplyMessage(content)
    rotation = KeyRotation(case["key_rotation"])
    surbs = [ReplySurb.parse(bytes.fromhex(surb), rotation) for surb in case["reply_surbs"]]
    if not case["kind"].startswith("repliable_data"):
        content = b""
    kind = RepliableKind.DATA
    if "additional" in case["kind"]:
        kind = RepliableKind.ADDITIONAL_SURBS
    if "heartbeat" in case["kind"]:
        kind = RepliableKind.HEARTBEAT
    tag = SenderTag(bytes.fromhex(case["sender_tag"]))
    return RepliableMessage(tag, kind, tuple(surbs), content)


@pytest.mark.parametrize("case", PIPELINE["messages"], ids=lambda case: case["kind"])
def test_messages(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["nym_message"])
    message = decode_message(encoded)
    assert message == expected_message(case)
    if case.get("encoding") != "v1":  # version 1 is read, never written
        assert encode_message(message) == encoded
    if "sender_tag_base58" in case:
        assert SenderTag.parse(case["sender_tag_base58"]).value.hex() == case["sender_tag"]


@pytest.mark.parametrize("case", PIPELINE["messages"], ids=lambda case: case["kind"])
def test_padding_and_packet_counts_of_messages(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["nym_message"])
    length = case["plaintext_per_packet"]
    padded = pad(encoded, length)
    assert len(padded) == case["padded_len"]
    assert len(padded) - len(encoded) - 1 == case["zero_padding"]
    assert remove_padding(padded) == encoded
    # The estimate by which the Rust client chooses among the sizes.
    sizes = [BY_NAME[name] for name in ("regular", "extended8", "extended16", "extended32")]
    estimates = [
        fragments_needed(len(encoded), fragment_length(size) - 1).fragments for size in sizes
    ]
    assert estimates == case["required_packets_regular_ext8_ext16_ext32"]


def accepts(data: bytes) -> bool:
    try:
        decode_message(data)
    except MessageFormatError:
        return False
    return True


@pytest.mark.parametrize(
    "case", PIPELINE["repliable_parsing"]["cases"], ids=lambda case: case["name"]
)
def test_repliable_parsing(case: dict[str, Any]) -> None:
    assert accepts(b"\x01" + bytes.fromhex(case["bytes"])) == case["accepted"]


def test_a_heartbeat_carries_surbs_only() -> None:
    message = decode_message(b"\x01" + bytes.fromhex(PIPELINE["repliable_parsing"]["heartbeat_v2"]))
    assert isinstance(message, RepliableMessage)
    assert message.kind is RepliableKind.HEARTBEAT
    assert message.surbs


@pytest.mark.parametrize("case", PIPELINE["reply_parsing"], ids=lambda case: case["name"])
def test_reply_parsing(case: dict[str, Any]) -> None:
    assert accepts(b"\x02" + bytes.fromhex(case["bytes"])) == case["accepted"]


@pytest.mark.parametrize("case", PIPELINE["padding_removal"], ids=lambda case: case["bytes"])
def test_padding_removal(case: dict[str, Any]) -> None:
    padded = bytes.fromhex(case["bytes"])
    if not case["ok"]:
        with pytest.raises(MessageFormatError):
            decode_message(remove_padding(padded))
        return
    message = remove_padding(padded)
    assert message[1:].hex() == case["inner_data"]
    decode_message(message)


@pytest.mark.parametrize(
    "case",
    [case for case in PIPELINE["reassembly"] if "fragments" in case],
    ids=lambda case: case["name"],
)
def test_reassembly(case: dict[str, Any]) -> None:
    # The recorded sequences are those of the bare reconstructor, which forgets finished sets.
    reassembler = Reassembler(ReassemblyLimits(finished_fragments=0))
    for encoded, expected in zip(case["fragments"], case["results"], strict=True):
        complete = reassembler.insert(Fragment.parse(bytes.fromhex(encoded)), now=0)
        if expected is None:
            assert complete is None
            continue
        assert complete is not None
        if "error" in expected:
            with pytest.raises(MessageFormatError):
                decode_message(remove_padding(complete.padded))
            continue
        assert list(complete.set_ids) == expected["used_sets"]
        assert remove_padding(complete.padded)[1:].hex() == expected["data"]


@pytest.mark.parametrize(
    "case",
    [case for case in PIPELINE["reassembly"] if "padded_message" in case],
    ids=lambda case: case["name"],
)
def test_reassembly_of_linked_sets(case: dict[str, Any]) -> None:
    padded = bytes.fromhex(case["padded_message"])
    set_ids = [FragmentSetId(set_id) for set_id in case["set_ids"]]
    fragments = split(padded, case["plaintext_per_packet"], set_ids)
    # "all fragments of set 2, then all of set 1"
    order = [set_ids[int(number) - 1] for number in re.findall(r"set (\d+)", case["order"])]
    assert sorted(order) == sorted(set_ids)
    fragments.sort(key=lambda fragment: order.index(fragment.set_id))
    reassembler = Reassembler(ReassemblyLimits(finished_fragments=0))
    for index, fragment in enumerate(fragments):
        complete = reassembler.insert(fragment, now=0)
        assert (complete is not None) == (index == case["completed_at_index"])
        if complete is not None:
            assert complete.padded == padded
            assert list(complete.set_ids) == case["used_sets"]
            assert remove_padding(complete.padded)[1:].hex() == case["data"]
