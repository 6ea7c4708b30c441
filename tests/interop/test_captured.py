"""What the Rust programs really sent, captured with ``python -m interop --capture``, read again."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interop.capture import SCENES
from nymproxy.channel import ChannelProtocol, Segment, SegmentKind
from nymproxy.channel.machine import ChannelMachine
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import ChannelFormatError
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.testing.payload import payload_bytes
from tests.channel.builders import ADDRESS, OTHER_TAG, TAG

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).resolve().parent / "captured"
NAMES = [scene.name for scene in SCENES]
TO_US = [scene.name for scene in SCENES if scene.client.is_rust]
FROM_SERVERS = [scene.name for scene in SCENES if scene.server.is_rust]
ORDERS = range(6)


@dataclass(frozen=True, slots=True)
class Captured:
    """One fixture: the payloads, what they carry, and the protocol that they belong to."""

    payloads: tuple[bytes, ...]
    carried: bytes
    protocol: ChannelProtocol

    def segments(self) -> list[Segment]:
        return [self.protocol.codec.decode(payload) for payload in self.payloads]


def captured(name: str) -> Captured:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return Captured(
        tuple(bytes.fromhex(message["payload"]) for message in content["messages"]),
        payload_bytes(content["app"]["seed"], content["app"]["length"]),
        LegacyProtocol() if "rust_proxy" in name else StreamProtocol(),
    )


def read(machine: ChannelMachine) -> bytes:
    """Everything that the application can read now."""
    pieces = []
    while machine.is_readable:
        pieces.append(machine.inbound.read(1 << 20))
    return b"".join(pieces)


def shuffled(payloads: Sequence[bytes], order: int) -> list[bytes]:
    """Order 0 is the captured one."""
    result = list(payloads)
    if order:
        random.Random(order).shuffle(result)
    return result


def test_there_is_a_capture_of_every_scene() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_message_decodes_and_encodes_to_the_same_bytes(name: str) -> None:
    capture = captured(name)
    codec = capture.protocol.codec
    assert capture.payloads
    for payload, segment in zip(capture.payloads, capture.segments(), strict=True):
        assert codec.matches(payload)
        assert segment.capabilities is None  # nothing that a Rust program sends looks like ours
        assert codec.encode(segment) == payload


@pytest.mark.parametrize("name", NAMES)
def test_the_data_in_the_order_of_its_numbers_is_what_the_app_sent(name: str) -> None:
    capture = captured(name)
    data = [one for one in capture.segments() if one.kind is SegmentKind.DATA]
    assert len({one.channel_id for one in data}) == 1
    in_order = sorted(data, key=lambda one: one.sequence)
    assert b"".join(one.payload for one in in_order) == capture.carried


@pytest.mark.parametrize("name", NAMES)
def test_no_message_cut_short_is_taken_for_another(name: str) -> None:
    capture = captured(name)
    for payload, segment in zip(capture.payloads, capture.segments(), strict=True):
        for length in {0, 1, 5, len(payload) // 2, len(payload) - 1}:
            try:
                found = capture.protocol.codec.decode(payload[:length])
            except ChannelFormatError:
                continue
            assert found != segment


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", TO_US)
def test_our_server_reads_them_in_any_order(name: str, order: int) -> None:
    capture = captured(name)
    table = ChannelTable([capture.protocol], random_bytes=lambda count: bytes(count))
    table.listen(capture.protocol, 8, 0.0)
    for second, payload in enumerate(shuffled(capture.payloads, order)):
        table.message_received(payload, TAG, float(second))
    (machine,) = table.channels.values()
    assert read(machine) == capture.carried
    assert machine.error is None
    ended = any(one.kind is SegmentKind.FIN for one in capture.segments())
    assert machine.inbound.has_ended == ended


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", FROM_SERVERS)
def test_our_client_reads_the_answer_in_any_order(name: str, order: int) -> None:
    capture = captured(name)
    channel_id = capture.segments()[0].channel_id
    profile = capture.protocol.dial(channel_id, ADDRESS)
    machine = ChannelMachine(channel_id, profile, is_dialer=True, now=0.0)
    for second, payload in enumerate(shuffled(capture.payloads, order)):
        machine.segment_received(capture.protocol.codec.decode(payload), float(second))
    assert read(machine) == capture.carried
    assert machine.error is None
    assert not machine.inbound.has_ended  # neither Rust server tells an end


def test_the_old_client_numbers_from_1_and_its_session_ids_are_version_4() -> None:
    segments = captured("rust_proxy_to_ours").segments()
    assert [one.sequence for one in segments] == list(range(1, len(segments) + 1))
    assert segments[-1].kind is SegmentKind.FIN
    assert {uuid.UUID(int=one.channel_id).version for one in segments} == {4}


def test_the_old_server_numbers_from_0_in_the_session_of_our_client() -> None:
    segments = captured("our_legacy_to_rust_proxy").segments()
    assert [one.sequence for one in segments] == list(range(len(segments)))
    assert {uuid.UUID(int=one.channel_id).version for one in segments} == {8}


def test_the_stream_dialer_opens_and_tells_no_end() -> None:
    segments = captured("rust_dialer_to_ours").segments()
    assert segments[0].kind is SegmentKind.OPEN
    assert {one.kind for one in segments[1:]} == {SegmentKind.DATA}


@pytest.mark.parametrize("name", TO_US)
def test_the_same_ids_from_another_sender_are_another_channel(name: str) -> None:
    capture = captured(name)
    table = ChannelTable([capture.protocol], random_bytes=lambda count: bytes(count))
    table.listen(capture.protocol, 8, 0.0)
    for payload in capture.payloads:
        for tag in (TAG, OTHER_TAG):
            table.message_received(payload, tag, 0.0)
    assert len(table.channels) == 2
    assert [read(machine) for machine in table.channels.values()] == [capture.carried] * 2
