"""One test for each requirement on streams that lies in the channels (docs/wire.md, S1 to S15)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from nymproxy.channel import ChannelId, SegmentKind
from nymproxy.channel.orphans import OrphanLimits
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import (
    ClientDisconnected,
    NymError,
    PhaseTimeout,
    ResetCode,
    StreamDataLost,
    StreamIdleTimeout,
    StreamOverflow,
)
from nymproxy.stream.codec import StreamCodec
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import STREAM_RULES, StreamOptions
from tests.channel.async_pair import async_pair
from tests.channel.builders import (
    ADDRESS,
    OTHER_TAG,
    TAG,
    Bench,
    changed_rules,
    control,
    data,
    fin,
    open_segment,
)

CODEC = StreamCodec()
MIB = 1024 * 1024


def failure(bench: Bench) -> NymError | None:
    return bench.machine.error


def listening(**rules: Any) -> ChannelTable:
    protocol = StreamProtocol(StreamOptions(rules=changed_rules(STREAM_RULES, **rules)))
    table = ChannelTable([protocol], random_bytes=bytes)
    table.listen(protocol, 128, 0.0)
    return table


def opened(**rules: Any) -> Bench:
    bench = Bench(**rules)
    bench.pull()
    bench.acknowledge()
    return bench


def test_s1_an_open_registers_when_it_arrives() -> None:
    table = listening()
    key = table.message_received(CODEC.encode(open_segment()), TAG, 0.0)
    assert key is not None
    table.message_received(CODEC.encode(data(0, b"early")), TAG, 100.0)
    assert table.channels[key].inbound.read(10) == b"early"


def test_s1_bounds_of_data_before_its_open() -> None:
    limits = OrphanLimits()
    assert (limits.ids, limits.frames_per_id, limits.bytes_per_id) == (256, 128, MIB)
    assert (limits.total_bytes, limits.age_seconds) == (16 * MIB, 30.0)


def test_s2_gap_is_never_skipped() -> None:
    bench = opened()
    bench.receive(data(0, b"a"), *(data(number) for number in range(2, 1026)))
    assert bench.read() == b"a"
    assert failure(bench) is None
    bench.receive(data(1026))  # one more than may wait
    assert isinstance(failure(bench), StreamDataLost)
    assert bench.read() == b""


def test_s2_a_gap_older_than_two_minutes_is_data_loss() -> None:
    bench = opened()
    bench.receive(data(1))
    bench.pass_time(119)
    assert failure(bench) is None
    bench.pass_time(2)
    assert isinstance(failure(bench), StreamDataLost)


def test_s2_what_came_in_order_is_still_readable() -> None:
    bench = opened()
    bench.receive(data(0, b"good"), data(2, b"never"))
    bench.pass_time(121)
    assert bench.read() == b"good"


def test_s2b_never_more_than_128_frames_ahead_of_the_oldest_unacknowledged() -> None:
    bench = opened(merge_delay_seconds=0.0)
    for _ in range(200):
        bench.write(b"x")
        bench.pump()
    assert len(bench.sent) == 129  # the oldest, and 128 behind it
    for outgoing in bench.sent[1:]:
        bench.settle(outgoing, is_acknowledged=True)
    assert bench.pump() == []  # acknowledged frames wait behind a missing one all the same
    bench.settle(bench.sent[0], is_acknowledged=True)
    assert sum(len(segment.payload) for segment in bench.pump()) == 71


def test_s2b_at_most_32_frames_ahead_of_an_unacknowledged_open() -> None:
    bench = Bench(merge_delay_seconds=0.0)
    for _ in range(60):
        bench.write(b"x")
        bench.pump()
    opening, *frames = bench.sent
    assert opening.segment.kind is SegmentKind.OPEN
    assert len(frames) == 32
    bench.settle(opening, is_acknowledged=True)
    assert len(bench.pump()) == 1  # the rest, merged


def test_s3_inbound_channels_are_known_by_tag_and_id() -> None:
    table = listening()
    table.message_received(CODEC.encode(open_segment()), TAG, 0.0)
    table.message_received(CODEC.encode(data(0, b"forged")), OTHER_TAG, 0.0)
    table.message_received(CODEC.encode(data(0, b"forged")), None, 0.0)
    (machine,) = table.channels.values()
    assert not machine.is_readable


def test_s3_outbound_channels_take_no_tagged_data() -> None:
    table = listening()
    key, machine = table.open(StreamProtocol(), ADDRESS, 0.0)
    forged = replace(data(0), channel_id=ChannelId(key.channel_id))
    table.message_received(CODEC.encode(forged), TAG, 0.0)
    assert not machine.is_readable


def test_s4_the_first_of_two_pending_frames_wins() -> None:
    bench = opened()
    bench.receive(data(1, b"first"), data(1, b"second"), data(0, b"-"))
    assert bench.read() == b"-first"


@pytest.mark.parametrize("direction", ["in", "out"])
def test_s5_either_direction_keeps_a_channel_alive(direction: str) -> None:
    bench = opened()
    for number in range(5):
        bench.pass_time(1799)
        if direction == "in":
            bench.receive(data(number))
        else:
            bench.write(b"x")
            bench.pump()
            bench.acknowledge()
    assert failure(bench) is None
    bench.pass_time(1801)
    assert isinstance(failure(bench), StreamIdleTimeout)
    assert not bench.machine.inbound.has_ended


def test_s6_the_end_of_our_direction_leaves_the_other_open() -> None:
    bench = opened()
    bench.machine.app_finished()
    bench.pump()
    bench.acknowledge()
    bench.receive(data(0, b"response"))
    assert bench.read() == b"response"
    assert not bench.machine.is_over


def test_s7_the_end_is_ordered_like_data() -> None:
    for end in (fin(2), data(2, b"")):
        bench = opened()
        bench.receive(end, data(1, b"b"))
        assert not bench.machine.inbound.has_ended
        bench.receive(data(0, b"a"))
        assert bench.read() == b"ab"
        assert [bench.machine.is_at_end] == [True]


def test_s8_a_peer_without_windows_is_bounded_by_64_mib() -> None:
    bench = opened()
    chunk = bytes(4 * MIB)
    for number in range(15):
        bench.receive(data(number, chunk))
    assert failure(bench) is None
    bench.receive(data(15, chunk), data(16, chunk))
    assert isinstance(failure(bench), StreamOverflow)


def test_s8_tiny_frames_are_bounded_too() -> None:
    bench = opened(unread_limit_bytes=1000)
    bench.receive(*(data(number) for number in range(20)))
    assert isinstance(failure(bench), StreamOverflow)


async def test_s9_a_reader_hears_that_the_client_has_ended() -> None:
    async with async_pair() as pair:
        dialed, _ = await pair.connect()
        await pair.dialer.aclose()
        with anyio.fail_after(30), pytest.raises(anyio.BrokenResourceError) as caught:
            await dialed.receive()
        assert isinstance(caught.value.__cause__, ClientDisconnected)


def test_s10_an_open_carries_20_surbs_and_data_what_was_used() -> None:
    bench = Bench(merge_delay_seconds=0.0)
    bench.write(b"request")
    bench.pull()
    assert [outgoing.surbs for outgoing in bench.sent] == [20, 0]
    bench.receive(data(0, bytes(3000)))
    bench.write(b"next")
    bench.pull()
    assert bench.sent[-1].surbs == 3


def test_s10_a_hundred_small_writes_become_a_few_frames() -> None:
    bench = opened()
    for _ in range(100):
        bench.write(b"0123456789")
        bench.pump()
        bench.now += 0.0005
    bench.now += 0.01
    bench.pump()
    frames = [outgoing.segment.payload for outgoing in bench.sent]
    assert b"".join(frames) == b"0123456789" * 100
    assert len(frames) <= 7  # 50 ms in steps of 10


def test_s11_writes_are_split_at_32_kib() -> None:
    bench = opened()
    bench.write(bytes(100_000))
    bench.machine.app_flushed()
    assert max(len(segment.payload) for segment in bench.pump()) == 32 * 1024


def test_s12_an_open_without_a_listener_is_dropped_and_counted_after_5_seconds() -> None:
    table = ChannelTable([StreamProtocol()], random_bytes=bytes)
    table.message_received(CODEC.encode(open_segment()), TAG, 0.0)
    table.tick(4.9)
    assert table.counters["refused-unclaimed"] == 0
    table.tick(5.0)
    assert table.counters["refused-unclaimed"] == 1
    assert table.channels == {}


def test_s13_numbers_wrap_at_2_to_the_32() -> None:
    start = (1 << 32) - 2
    bench = opened(first_receive_sequence=start, first_send_sequence=start, merge_delay_seconds=0.0)
    bench.receive(*(data((start + n) % (1 << 32), bytes([n])) for n in (3, 1, 0, 2)))
    assert bench.read() == bytes(range(4))
    numbers = []
    for _ in range(4):
        bench.write(b"x")
        numbers += [segment.sequence for segment in bench.pump()]
    assert numbers == [start, start + 1, 0, 1]


@pytest.mark.parametrize("kind", [SegmentKind.HELLO, SegmentKind.OPEN_ACK, SegmentKind.DATA])
def test_s14_any_frame_of_the_peer_confirms_the_open(kind: SegmentKind) -> None:
    bench = opened()
    assert [bench.machine.is_established] == [False]
    bench.receive(control(kind))
    assert [bench.machine.is_established] == [True]


async def test_s14_waiting_has_a_limit() -> None:
    silent = StreamOptions(extensions=False, announce_liveness=False)
    async with async_pair(options=silent) as pair:
        with pytest.raises(PhaseTimeout):
            await pair.dialing.open(pair.protocol, pair.acceptor.address, wait=True, timeout=0.05)


def test_s15_a_replayed_open_makes_no_new_channel() -> None:
    table = listening()
    key = table.message_received(CODEC.encode(open_segment()), TAG, 0.0)
    assert key is not None
    table.channels[key].abort(ResetCode.CANCELLED, "")
    table.remove(key, TAG, 0.0)
    assert table.message_received(CODEC.encode(open_segment()), TAG, 599.0) is None
    assert table.channels == {}
    assert table.message_received(CODEC.encode(open_segment()), OTHER_TAG, 599.0) is not None
