"""NX2 against vectors that were made from docs/wire.md alone (make_nx2.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nymproxy.address import NymAddress
from nymproxy.stream.codec import MessageType
from nymproxy.stream.nx2 import keys
from nymproxy.stream.nx2.envelopes import read_own, seal, unseal, write_own
from nymproxy.stream.nx2.frames import Accept, Ack, Alive, Ask, Offer, Resume, Seal
from nymproxy.stream.nx2.prefix import PrefixDigest
from tests.vectors import make_nx2

VECTORS: dict[str, Any] = json.loads(make_nx2.FILE.read_text())
STREAMS: list[dict[str, Any]] = VECTORS["streams"]


def test_the_file_is_what_its_maker_makes() -> None:
    assert make_nx2.FILE.read_text() == make_nx2.make()


def _key(stream: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(stream["keys"][name])


def _check(stream: dict[str, Any], case: dict[str, Any], fields: bytes, context: bytes) -> None:
    """Both ways: the fields with their header and MAC, and the frame read again."""
    frame = bytes.fromhex(case["frame"])
    own = read_own(frame)
    key = _key(stream, case["key"])
    assert fields.hex() == case["fields"]
    assert own.payload == fields
    assert keys.has_valid_mac(key, context, frame)
    written = write_own(
        own.message_type, stream["stream_id"], own.sequence, fields, key=key, context=context
    )
    assert written == frame


@pytest.mark.parametrize("stream", STREAMS)
def test_keys(stream: dict[str, Any]) -> None:
    first = bytes.fromhex(stream["dialer_random"])
    second = bytes.fromhex(stream["acceptor_random"])
    channel = keys.ChannelKeys.derive(first, second, stream["stream_id"])
    assert {
        "offer": keys.offer_key(first).hex(),
        "accept": keys.accept_key(first, second).hex(),
        "early": keys.early_key(first, stream["stream_id"]).hex(),
        "d2a": channel.dialer.hex(),
        "a2d": channel.acceptor.hex(),
        "resume": channel.resume.hex(),
    } == stream["keys"]


@pytest.mark.parametrize("stream", STREAMS)
def test_opening(stream: dict[str, Any]) -> None:
    context = bytes.fromhex(stream["tag"] + stream["address"])
    for case in stream["offers"]:
        offer = Offer(
            case["minutes"],
            bytes.fromhex(stream["dialer_random"]),
            case["seal_follows"],
            bytes.fromhex(case["data"]),
        )
        _check(stream, case, offer.encode(), context)
        assert Offer.decode(bytes.fromhex(case["fields"])) == offer
    for case in stream["accepts"]:
        alternates = tuple(
            NymAddress.from_bytes(bytes.fromhex(text)) for text in case["alternates"]
        )
        accept = Accept(
            bytes.fromhex(stream["acceptor_random"]),
            case["confirm"],
            case["ask_seconds"],
            alternates,
            case["refused"],
            bytes.fromhex(case["first"]),
        )
        _check(stream, case, accept.encode(), context)
        assert Accept.decode(bytes.fromhex(case["fields"])) == accept


def _ack(case: dict[str, Any]) -> Ack:
    ranges = tuple((first, last) for first, last in case["ranges"])
    return Ack(case["next_expected"], case["counter"], case["echo"], case["limit"], ranges)


@pytest.mark.parametrize("stream", STREAMS)
def test_acknowledging(stream: dict[str, Any]) -> None:
    tag = bytes.fromhex(stream["tag"])
    for case in stream["acks"]:
        ack = _ack(case)
        _check(stream, case, ack.encode(), tag)
        assert Ack.decode(case["next_expected"], bytes.fromhex(case["fields"])) == ack
    case = stream["resume"]
    resume = Resume(case["move"], ack)
    _check(stream, case, resume.encode(), bytes.fromhex(case["new_tag"] + stream["address"]))
    assert Resume.decode(ack.next_expected, bytes.fromhex(case["fields"])) == resume


@pytest.mark.parametrize("stream", STREAMS)
def test_sealed_frames(stream: dict[str, Any]) -> None:
    tag = bytes.fromhex(stream["tag"])
    for case in stream["sealed"]:
        key, plain, frame = (
            _key(stream, case["key"]),
            bytes.fromhex(case["plain"]),
            bytes.fromhex(case["frame"]),
        )
        sealed = seal(key, tag, plain, next_expected=case["next_expected"], counter=case["counter"])
        assert sealed == frame
        opened = unseal((key,), tag, frame)
        assert opened is not None
        assert opened.frame == plain
        assert opened.next_expected == case["next_expected"]
        assert opened.counter == case["counter"]


@pytest.mark.parametrize("case", VECTORS["liveness"])
def test_liveness(case: dict[str, Any]) -> None:
    context = bytes.fromhex(case["tag"] + case["address"])
    nonce = bytes.fromhex(case["nonce"])
    ask = Ask(case["number"], tuple(case["stream_ids"]), nonce)
    alive = Alive(case["number"], tuple(case["has_stream"]))
    for name, message_type, fields, key in (
        ("ask", MessageType.ASK, ask.encode(), keys.ask_key(nonce)),
        ("alive", MessageType.ALIVE, alive.encode(), keys.alive_key(nonce)),
    ):
        frame = bytes.fromhex(case[name])
        assert write_own(message_type, 0, case["number"], fields, key=key, context=context) == frame
        assert read_own(frame).payload == fields
    assert Ask.decode(ask.number, ask.encode()) == ask
    assert Alive.decode(alive.number, alive.encode()) == alive


@pytest.mark.parametrize("stream", STREAMS)
def test_seal(stream: dict[str, Any]) -> None:
    for case in stream["seals"]:
        prefix = PrefixDigest()
        opening, *items = case["items"]
        assert opening == [MessageType.OPEN, 0, ""]
        for kind, sequence, payload in items:
            assert prefix.next_sequence == sequence
            prefix.add(MessageType(kind), bytes.fromhex(payload))
        assert prefix.next_sequence == case["sequence"]
        seal_fields = Seal(prefix.value(), _ack(case), bytes.fromhex(case["first"]))
        _check(stream, case, seal_fields.encode(), bytes.fromhex(stream["tag"]))
        assert Seal.decode(bytes.fromhex(case["fields"])) == seal_fields
