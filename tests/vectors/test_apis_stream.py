"""Stream frames and the stream map against nym-lp-data and nym-sdk 1.21.6 (apis.json).

Where the channels differ from the Rust stream map on purpose, the difference is asserted: nothing
is skipped, the first of two equal numbers wins, numbers wrap, and an idle stream is an error.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from nymproxy.address import SenderTag
from nymproxy.channel import Segment, SegmentKind
from nymproxy.channel.segment import ChannelKey
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import ChannelFormatError, NymError, StreamDataLost, StreamIdleTimeout
from nymproxy.stream.codec import (
    MessageType,
    StreamCodec,
    StreamFrame,
    display_stream_id,
)
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import STREAM_RULES, StreamOptions
from tests.vectors.files import load

if TYPE_CHECKING:
    from nymproxy.channel.machine import ChannelMachine

VECTORS = load("apis.json")
CODEC = StreamCodec()
TAG = SenderTag(bytes(16))


def cases(section: str) -> list[Any]:
    return [
        pytest.param(case, id=case.get("name", str(number)))
        for number, case in enumerate(VECTORS[section]["cases"])
    ]


@pytest.mark.parametrize("case", cases("lp_frame_encode"))
def test_frames_are_written_as_rust_writes_them(case: dict[str, Any]) -> None:
    frame = StreamFrame(
        stream_id=int(case["stream_id_hex"], 16),
        message_type=MessageType(case["msg_type"]),
        sequence=case["seq"],
        payload=bytes.fromhex(case["payload"]),
    )
    assert frame.encode().hex() == case["encoded"]
    assert StreamFrame.decode(frame.encode()) == frame
    assert display_stream_id(frame.stream_id) == case["display_id"]
    assert CODEC.encode(CODEC.decode(frame.encode())).hex() == case["encoded"]


@pytest.mark.parametrize("case", cases("lp_frame_decode"))
def test_frames_are_read_as_rust_reads_them(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["input"])
    expected = case["stream_frame"]
    if expected is None:
        try:
            segment = CODEC.decode(data)
        except ChannelFormatError:
            return
        # What Rust drops and we do not are the types of newer peers and of the extension.
        assert segment.kind not in {SegmentKind.OPEN, SegmentKind.DATA}
        return
    frame = StreamFrame.decode(data)
    assert frame.message_type == expected["msg_type"]
    assert frame.sequence == expected["seq"]
    assert f"{frame.stream_id:016x}" == expected["stream_id_hex"]
    assert frame.payload.hex() == expected["payload"]


@pytest.mark.parametrize("case", cases("lp_frame_decode"))
def test_only_frames_of_kind_stream_start_with_3(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["input"])
    if not CODEC.matches(data):
        with pytest.raises(ChannelFormatError):
            CODEC.decode(data)


@pytest.mark.parametrize("case", cases("extension_frames"))
def test_extension_frames_carry_what_rust_does_not_see(case: dict[str, Any]) -> None:
    fields = case["fields"]
    data = bytes.fromhex(case["input"])
    frame = StreamFrame.decode(data)
    assert frame.message_type == fields["msg_type"]
    assert frame.capability_byte == fields["capability"]
    assert frame.sequence == fields["seq"]
    assert f"{frame.stream_id:016x}" == fields["stream_id_hex"]
    assert frame.payload.hex() == fields["payload"]
    assert CODEC.encode(CODEC.decode(data)) == data
    # Rust sees Open and Data as if the capability byte were 0, and drops the rest unread.
    is_plain = frame.message_type in {MessageType.OPEN, MessageType.DATA}
    assert case["router_drops"] is not is_plain


# The stream map.


class StreamMapReplay:
    """Replays a trace of the Rust stream map on a table, and says what each stream delivered."""

    def __init__(self) -> None:
        # A name lives in one client here, so all limits that differ are left at their defaults.
        self.protocol = StreamProtocol(StreamOptions(extensions=False))
        self.table = ChannelTable([self.protocol], random_bytes=bytes)
        self.listener = self.table.listen(self.protocol, 1000, 0.0)
        self.now = 0.0
        self.dropped: set[str] = set()
        self.machines: dict[str, ChannelMachine] = {}

    def key(self, stream: str) -> ChannelKey:
        return ChannelKey("stream", TAG, CODEC.decode(self.frame(stream, 0, b"")).channel_id)

    def frame(self, stream: str, kind: int, payload: bytes, sequence: int = 0) -> bytes:
        return StreamFrame(int(stream, 16), MessageType(kind), sequence, payload).encode()

    def step(self, operation: dict[str, Any]) -> None:
        name, stream = operation["op"], operation.get("stream", "")
        if name == "register":
            self.table.message_received(self.frame(stream, 0, b""), TAG, self.now)
            machine = self.table.channels.get(self.key(stream))
            if machine is not None:
                self.machines[stream] = machine
        elif name == "data":
            payload = bytes.fromhex(operation["payload"])
            self.data(stream, operation["seq"], payload)
        elif name == "data_range":
            for sequence in range(operation["from"], operation["to"]):
                self.data(stream, sequence, sequence.to_bytes(4, "big"))
        elif name == "advance_ms":
            self.now += operation["ms"] / 1000
        elif name == "cleanup":
            self.table.tick(self.now)
            for machine in self.machines.values():
                machine.tick(self.now)
        elif name == "drop_reader":
            self.machines[stream].app_closed()
        elif name == "remove":
            self.table.remove(self.key(stream), TAG, self.now)
        else:
            raise AssertionError(f"unknown operation {name}")

    def data(self, stream: str, sequence: int, payload: bytes) -> None:
        self.table.message_received(self.frame(stream, 1, payload, sequence), TAG, self.now)

    def errors(self) -> dict[str, NymError]:
        return {
            stream: machine.error
            for stream, machine in self.machines.items()
            if machine.error is not None
        }

    def delivered(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for stream, machine in self.machines.items():
            while machine.is_readable:
                found[stream].append(machine.inbound.read_frame().hex())
        return dict(found)


def _frames(operation: dict[str, Any]) -> list[tuple[str, int, str]]:
    if operation["op"] == "data":
        return [(operation["stream"], operation["seq"], operation["payload"])]
    if operation["op"] == "data_range":
        numbers = range(operation["from"], operation["to"])
        return [(operation["stream"], number, f"{number:08x}") for number in numbers]
    return []


DIFFERENT = {
    "old_and_duplicate": "the first of two pending frames with one number wins (S4)",
    "gap_skip_after_256": "a gap is never skipped (S2)",
    "far_future_seq": "a number in the far half of the range lies in the past (S13)",
    "orphans_expire": "orphans live for 30 s, not for 5 to 15 (S1)",
    "orphans_frame_cap": "128 orphan frames for each stream, not 32 (S1)",
    "idle_reap": "the limit is 30 min in both directions, and an error (S5)",
    "reader_gone": "a closed stream still ends in order (S6)",
    "remove_clears_orphans": "a tombstone is not a removal of orphans (S15)",
}
"""Traces of this suite in which we differ from Rust; each has its own test below."""


def same_cases() -> list[Any]:
    return [each for each in cases("stream_map") if not _differs(each.values[0])]


def _differs(case: dict[str, Any]) -> bool:
    """Tell from a trace, not from its name alone, whether it meets one of the differences."""
    if case["name"] in DIFFERENT:
        return True
    operations = [step["op"] for step in case["steps"]]
    names = {operation["op"] for operation in operations}
    if names & {"cleanup", "drop_reader", "remove", "advance_ms"}:
        return True
    numbers: dict[str, set[int]] = defaultdict(set)
    for operation in operations:
        for stream, sequence, payload in _frames(operation):
            if sequence in numbers[stream] or sequence >= 1 << 31 or not payload:
                return True
            numbers[stream].add(sequence)
    return len(numbers) > 64 or any(len(seen) > 32 for seen in numbers.values())


@pytest.mark.parametrize("case", same_cases())
def test_stream_map_traces_give_the_same_bytes(case: dict[str, Any]) -> None:
    replay = StreamMapReplay()
    for step in case["steps"]:
        replay.step(step["op"])
        assert replay.delivered() == step["delivered"]
        for stream, state in step["streams"].items():
            inbound = replay.machines[stream].inbound
            assert inbound.next_sequence == state["next_seq"]
            assert inbound.pending_messages == state["pending"]


def rust_deliveries(case: dict[str, Any]) -> dict[str, list[str]]:
    """Everything that each Rust reader got, without its EOF marks."""
    found: dict[str, list[str]] = defaultdict(list)
    for step in case["steps"]:
        for stream, frames in step["delivered"].items():
            found[stream] += [frame for frame in frames if frame != "EOF"]
    return found


def first_frames(case: dict[str, Any]) -> dict[str, dict[int, str]]:
    """The payloads of each stream by number; of two frames with one number, the first."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for step in case["steps"]:
        for stream, sequence, payload in _frames(step["op"]):
            found[stream].setdefault(sequence, payload)
    return found


def replay_of(case: dict[str, Any]) -> tuple[StreamMapReplay, dict[str, list[str]]]:
    replay = StreamMapReplay()
    delivered: dict[str, list[str]] = defaultdict(list)
    for step in case["steps"]:
        replay.step(step["op"])
        for stream, frames in replay.delivered().items():
            delivered[stream] += frames
    return replay, delivered


@pytest.mark.parametrize("case", cases("stream_map"))
def test_every_trace_delivers_a_contiguous_run_from_the_first_frame(case: dict[str, Any]) -> None:
    """Whatever the trace: no frame out of order, none twice, none behind a gap."""
    frames = first_frames(case)
    for stream, payloads in replay_of(case)[1].items():
        assert payloads == [frames[stream][number] for number in range(len(payloads))]


def case_named(name: str) -> dict[str, Any]:
    for case in VECTORS["stream_map"]["cases"]:
        if case["name"] == name:
            found: dict[str, Any] = case
            return found
    pytest.skip(f"this folder of vectors has no trace {name}")


def replayed(name: str) -> tuple[dict[str, Any], StreamMapReplay, dict[str, list[str]]]:
    case = case_named(name)
    return case, *replay_of(case)


def test_s4_difference_the_first_of_two_pending_frames_wins() -> None:
    case, _, delivered = replayed("old_and_duplicate")
    frames = first_frames(case)
    for stream, rust in rust_deliveries(case).items():
        assert delivered[stream] == [frames[stream][number] for number in range(len(rust))]
        assert delivered[stream] != rust


def test_s2_difference_nothing_behind_a_gap_is_delivered() -> None:
    case, replay, delivered = replayed("gap_skip_after_256")
    frames = first_frames(case)
    for stream, rust in rust_deliveries(case).items():
        assert rust[0] != frames[stream][0]  # Rust lost the first frame
        assert delivered[stream] == [frames[stream][number] for number in range(len(rust) + 1)]
        assert replay.machines[stream].error is None


def test_s2_difference_a_gap_that_stays_is_an_error() -> None:
    case = case_named("gap_skip_after_256")
    replay = StreamMapReplay()
    for step in case["steps"][:-1]:
        replay.step(step["op"])
    assert replay.delivered() == {}
    replay.now += STREAM_RULES.order.gap_timeout_seconds
    replay.step({"op": "cleanup", "idle_ms": 0})
    for machine in replay.machines.values():
        assert isinstance(machine.error, StreamDataLost)


def test_s13_difference_a_number_in_the_far_half_lies_in_the_past() -> None:
    case, replay, _ = replayed("far_future_seq")
    frames = first_frames(case)
    for stream, machine in replay.machines.items():
        assert machine.inbound.pending_messages == 0
        assert machine.inbound.dropped == sum(number >= 1 << 31 for number in frames[stream]) > 0


def test_s1_difference_orphans_live_for_thirty_seconds() -> None:
    case, _, delivered = replayed("orphans_expire")
    assert not rust_deliveries(case)
    frames = first_frames(case)
    assert frames
    assert delivered == {stream: list(frames[stream].values()) for stream in frames}


def test_s1_difference_more_orphan_frames_are_kept() -> None:
    case, _, delivered = replayed("orphans_frame_cap")
    (kept,) = [orphans["frames"] for step in case["steps"][:1] for orphans in step["orphans"]]
    frames = first_frames(case)
    for stream, rust in rust_deliveries(case).items():
        assert len(delivered[stream]) > kept  # what Rust keeps
        assert delivered[stream] == [
            frames[stream][number] for number in range(len(frames[stream]))
        ]
        assert delivered[stream][:kept] == rust[:kept]
        assert delivered[stream][kept] != rust[kept]  # Rust took the later copy, we have the first


def test_s5_difference_an_idle_stream_is_an_error_not_an_end() -> None:
    case = case_named("idle_reap")
    replay = StreamMapReplay()
    for step in case["steps"]:
        replay.step(step["op"])
    stream = case["steps"][0]["op"]["stream"]
    machine = replay.machines[stream]
    assert replay.errors() == {}  # ten seconds are far below our limit
    replay.now += STREAM_RULES.quiet.idle_timeout_seconds
    replay.step({"op": "cleanup", "idle_ms": 0})
    assert isinstance(machine.error, StreamIdleTimeout)
    assert not machine.inbound.has_ended


def test_s6_difference_a_closed_stream_is_still_known() -> None:
    case, replay, delivered = replayed("reader_gone")
    assert not delivered
    for stream, frames in first_frames(case).items():
        assert replay.machines[stream].error is None
        # Every frame was taken, and dropped.
        assert replay.machines[stream].inbound.next_sequence == len(frames)


@pytest.mark.parametrize("case", cases("stream_reader"))
def test_an_empty_frame_is_the_end_and_stays_it(case: dict[str, Any]) -> None:
    """Rust reads an empty frame as an end of file once; we take it as the end for good."""
    replay = StreamMapReplay()
    stream = f"{7:016x}"
    replay.step({"op": "register", "stream": stream})
    for sequence, payload in enumerate(case["messages"]):
        replay.data(stream, sequence, bytes.fromhex(payload))
    machine = replay.machines[stream]
    reads = []
    while machine.is_readable:
        reads.append(machine.inbound.read(case["buffer"]).hex())
    until_end = case["messages"][: (case["messages"] + [""]).index("")]
    rust_until_end = case["reads"][: case["reads"].index("")]
    assert "".join(reads) == "".join(until_end) == "".join(rust_until_end)
    assert all(len(read) // 2 <= case["buffer"] for read in reads)
    assert machine.is_at_end is ("" in case["messages"])


def test_segments_without_an_open_do_not_make_a_channel() -> None:
    replay = StreamMapReplay()
    replay.data("0000000000000001", 0, b"x")
    assert replay.table.channels == {}
    assert Segment(SegmentKind.DATA, replay.key("1").channel_id).is_numbered
