"""One channel machine: sending, ends, flow control, liveness, and how it fails."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from nymproxy.channel import (
    AbortSignal,
    Capability,
    ChannelRules,
    EndSignal,
    PeerMemory,
    PeerTraits,
    Segment,
    SegmentKind,
)
from nymproxy.channel.idle import IdleClock, Quiet
from nymproxy.channel.machine import ChannelMachine
from nymproxy.channel.rules import QuietRules
from nymproxy.errors import (
    ClientDisconnected,
    DeliveryAbandoned,
    NymError,
    ResetCode,
    StreamDataLost,
    StreamIdleTimeout,
    StreamOverflow,
    StreamRefused,
    StreamReset,
)
from nymproxy.stream.traits import StreamOptions
from tests.channel.builders import ADDRESS, ID, Bench, control, data, fin, open_segment

KIB = 1024
MIB = 1024 * KIB
OPEN, DATA, FIN = SegmentKind.OPEN, SegmentKind.DATA, SegmentKind.FIN


def failure(bench: Bench) -> NymError | None:
    return bench.machine.error


def is_drained(bench: Bench) -> bool:
    return bench.machine.outbound.is_drained


def is_at_end(bench: Bench) -> bool:
    return bench.machine.is_at_end


def opened(**rules: Any) -> Bench:
    """A dialer whose Open was acknowledged."""
    bench = Bench(**rules)
    assert bench.kinds() == [OPEN]
    bench.acknowledge()
    return bench


def negotiated(**rules: Any) -> Bench:
    bench = opened(**rules)
    bench.receive(control(SegmentKind.HELLO))
    return bench


def payloads(segments: list[Segment]) -> list[int]:
    return [len(segment.payload) for segment in segments if segment.kind is DATA]


PLAIN_RULES = ChannelRules(has_open=False)


class _KnowsEnds(PeerTraits):
    """A peer that takes FIN for its own end, and for an abort."""

    @property
    def end_signal(self) -> EndSignal:
        return EndSignal.FIN

    @property
    def abort_signal(self) -> AbortSignal:
        return AbortSignal.FIN


class TestSending:
    def test_open_comes_first_and_takes_no_number(self) -> None:
        bench = Bench()
        bench.write(b"hello")
        first, second = bench.pull()
        assert (first.kind, first.sequence, first.payload) == (OPEN, 0, b"")
        assert (second.kind, second.sequence, second.payload) == (DATA, 0, b"hello")

    def test_numbers_count_up(self) -> None:
        bench = opened(merge_delay_seconds=0.0)
        numbers = []
        for _ in range(5):
            bench.write(b"x")
            numbers += [segment.sequence for segment in bench.pump()]
        assert numbers == [0, 1, 2, 3, 4]

    def test_large_writes_are_split_at_the_frame_size(self) -> None:
        bench = opened()
        bench.write(bytes(70 * KIB))
        bench.machine.app_flushed()
        assert payloads(bench.pump()) == [32 * KIB, 32 * KIB, 6 * KIB]

    def test_a_first_small_write_leaves_at_once_and_the_next_are_merged(self) -> None:
        bench = opened()
        bench.write(b"a")
        assert payloads(bench.pump()) == [1]
        for _ in range(9):
            bench.write(b"b")
        assert bench.pump() == []
        bench.now += 0.0101
        assert payloads(bench.pump()) == [9]

    def test_an_answer_ends_the_merging(self) -> None:
        bench = opened()
        bench.write(b"a")
        bench.pump()
        bench.receive(data(0))
        bench.write(b"b")
        assert payloads(bench.pump()) == [1]

    def test_merging_never_waits_for_more_than_a_frame(self) -> None:
        bench = opened()
        bench.write(b"a")
        bench.pump()
        bench.write(bytes(32 * KIB))
        assert payloads(bench.pump()) == [32 * KIB]

    def test_the_merge_delay_is_a_deadline(self) -> None:
        bench = opened()
        bench.write(b"a")
        bench.pump()
        bench.write(b"b")
        assert bench.machine.next_deadline(bench.now) == pytest.approx(0.010)

    @pytest.mark.parametrize("way", ["flush", "end"])
    def test_a_flush_or_the_end_does_not_wait(self, way: str) -> None:
        bench = opened()
        bench.write(b"a")
        bench.pump()
        bench.write(b"b")
        if way == "flush":
            bench.machine.app_flushed()
        else:
            bench.machine.app_finished()
        assert payloads(bench.pump())[0] == 1

    def test_small_writes_are_merged_while_messages_wait_in_the_transport(self) -> None:
        bench = opened(merge_delay_seconds=0.0)
        for _ in range(20):
            bench.write(b"x")
            bench.pull()
        assert payloads([each.segment for each in bench.sent]) == [1, 1, 1, 1]
        bench.all_left()
        assert payloads(bench.pull()) == [16]

    def test_room_is_what_the_send_window_leaves(self) -> None:
        bench = opened()
        bench.write(bytes(200 * KIB))
        assert bench.machine.room == 56 * KIB
        bench.pull()  # handed over, but nothing has left
        assert bench.machine.room == 56 * KIB
        bench.all_left()
        assert bench.machine.room == 56 * KIB + 4 * 32 * KIB

    def test_surbs_are_asked_of_the_profile(self) -> None:
        bench = Bench()
        bench.write(b"x")
        bench.pull()
        assert [outgoing.surbs for outgoing in bench.sent] == [20, 0]


class TestEnds:
    def test_the_end_follows_what_was_written(self) -> None:
        bench = negotiated()
        bench.write(b"x")
        bench.machine.app_finished()
        segments = bench.pump()
        assert [(each.kind, each.sequence) for each in segments] == [(DATA, 0), (FIN, 1)]
        assert bench.pump() == []

    def test_a_plain_peer_gets_an_empty_frame(self) -> None:
        bench = opened()
        bench.write(b"x")
        bench.machine.app_finished()
        segments = bench.pump()
        assert [(each.kind, each.payload) for each in segments] == [(DATA, b"x"), (DATA, b"")]
        assert segments[1].sequence == 1

    def test_without_compat_eof_a_plain_peer_is_told_nothing(self) -> None:
        bench = Bench(options=StreamOptions(compat_eof=False))
        bench.write(b"x")
        bench.machine.app_finished()
        bench.pump()
        bench.acknowledge()
        assert bench.pump() == []
        assert is_drained(bench)
        assert bench.machine.outbound.state.has_ended

    def test_nothing_follows_an_end(self) -> None:
        bench = negotiated()
        bench.machine.app_finished()
        assert bench.kinds() == [FIN]
        bench.receive(data(0, shows=True))
        assert bench.read() == b"x"
        assert bench.kinds() == []

    def test_a_channel_is_over_when_both_ends_are_acknowledged(self) -> None:
        bench = negotiated()
        bench.machine.app_finished()
        bench.pump()
        bench.receive(fin(0))
        assert [bench.machine.is_over] == [False]
        bench.acknowledge()
        assert bench.machine.is_over
        assert bench.machine.next_deadline(bench.now) == math.inf

    def test_unread_bytes_stay_readable_after_the_end(self) -> None:
        bench = negotiated()
        bench.receive(data(0), fin(1))
        assert not is_at_end(bench)
        assert bench.read() == b"x"
        assert is_at_end(bench)

    def test_a_closed_channel_drops_what_still_comes(self) -> None:
        bench = negotiated()
        bench.receive(data(0))
        bench.machine.app_closed()
        bench.receive(data(1))
        assert not bench.machine.is_readable
        bench.pump()
        bench.acknowledge()
        assert bench.machine.is_over
        assert failure(bench) is None

    def test_drained_means_acknowledged(self) -> None:
        bench = opened()
        bench.write(b"x")
        assert not is_drained(bench)
        bench.pump()
        assert not is_drained(bench)
        bench.acknowledge()
        assert is_drained(bench)
        bench.machine.app_finished()
        assert not is_drained(bench)

    def test_data_behind_a_fin_is_a_protocol_error(self) -> None:
        for segments in ((fin(1), data(2)), (data(2), fin(1)), (data(0), fin(1), data(2))):
            bench = negotiated()
            bench.receive(*segments)
            assert isinstance(failure(bench), StreamReset)
            (reset,) = bench.pull()
            assert (reset.kind, reset.reset_code) == (
                SegmentKind.RESET,
                ResetCode.PROTOCOL_ERROR,
            )

    def test_data_behind_an_empty_frame_is_dropped_and_counted(self) -> None:
        bench = opened()
        bench.receive(data(0), data(1, b""), data(2), data(3))
        assert bench.read() == b"x"
        assert is_at_end(bench)
        assert bench.machine.inbound.dropped == 2
        assert failure(bench) is None

    def test_a_number_holds_data_or_fin_and_the_first_wins(self) -> None:
        bench = negotiated()
        bench.receive(data(1, b"b"), fin(1), data(0, b"a"), fin(2))
        assert bench.read() == b"ab"
        assert is_at_end(bench)

    def test_the_payload_of_an_open_comes_before_the_first_data(self) -> None:
        bench = Bench(is_dialer=False)
        bench.machine.opened_by(open_segment(payload=b"early"), bench.now)
        bench.receive(data(0, b"later"))
        assert bench.read() == b"earlylater"


class TestFlowControl:
    def test_a_dialer_keeps_to_the_first_window_until_the_peer_speaks(self) -> None:
        bench = opened(send_window_bytes=4 * MIB)
        bench.write(bytes(2 * MIB))
        assert sum(payloads(bench.pump())) == MIB
        bench.receive(data(0))  # a plain peer
        bench.acknowledge()
        assert sum(payloads(bench.pump())) == MIB

    def test_it_waits_no_longer_than_20_seconds(self) -> None:
        bench = opened(send_window_bytes=4 * MIB)
        bench.write(bytes(2 * MIB))
        bench.pump()
        bench.acknowledge()
        bench.pass_time(19.9)
        assert bench.sent == []
        bench.pass_time(0.2)
        assert sum(len(each.segment.payload) for each in bench.sent) >= 4 * 32 * KIB

    def test_a_remembered_plain_peer_costs_no_pause(self) -> None:
        memory = PeerMemory()
        memory.remember(ADDRESS, Capability.NONE)
        bench = Bench(memory=memory, send_window_bytes=4 * MIB)
        bench.pump()
        bench.acknowledge()
        bench.write(bytes(2 * MIB))
        assert sum(payloads(bench.pump())) == 2 * MIB

    def test_windows_let_more_through(self) -> None:
        bench = negotiated(send_window_bytes=4 * MIB)
        bench.write(bytes(2 * MIB))
        assert sum(payloads(bench.pump())) == MIB
        bench.acknowledge()
        bench.receive(control(SegmentKind.WINDOW, limit=MIB + 100))
        assert sum(payloads(bench.pump())) == 100
        bench.receive(control(SegmentKind.WINDOW, limit=5))  # late: ignored
        assert bench.pump() == []

    def test_a_blocked_sender_probes_after_30_seconds_and_then_every_60(self) -> None:
        bench = negotiated(send_window_bytes=4 * MIB)
        bench.write(bytes(2 * MIB))
        bench.pump()
        bench.acknowledge()
        times = []
        for second in range(200):
            bench.now = float(second)
            bench.machine.tick(bench.now)
            times += [second for each in bench.pull() if each.kind is SegmentKind.PROBE]
        assert times == [30, 90, 150]

    def test_a_probe_is_answered_with_the_current_window(self) -> None:
        bench = negotiated()
        bench.receive(control(SegmentKind.PROBE))
        (window,) = bench.pull()
        assert (window.kind, window.limit) == (SegmentKind.WINDOW, MIB)
        assert bench.pull() == []

    def test_reading_half_of_the_grant_sends_one_window(self) -> None:
        bench = negotiated()
        for sequence in range(16):
            bench.receive(data(sequence, bytes(64 * KIB), shows=True))
        sizes = []
        while bench.machine.is_readable:
            bench.machine.inbound.read(64 * KIB)
            sizes += [each.limit for each in bench.pull()]
        assert sizes == [MIB + MIB // 2, 2 * MIB]

    def test_a_window_that_grew_before_the_negotiation_is_told_after_it(self) -> None:
        bench = Bench(is_dialer=False)
        bench.receive(data(0, bytes(MIB)))
        bench.read()
        assert [each.kind for each in bench.pull()] == [SegmentKind.OPEN_ACK]
        bench.receive(data(1, shows=True))
        assert [(each.kind, each.limit) for each in bench.pull()] == [
            (SegmentKind.HELLO, 0),
            (SegmentKind.WINDOW, 2 * MIB),
        ]

    def test_a_sender_far_beyond_the_window_is_reset(self) -> None:
        bench = negotiated()
        for sequence in range(5):
            bench.receive(data(sequence, bytes(MIB), shows=True))
        assert failure(bench) is None
        bench.receive(data(5, b"x", shows=True))
        assert isinstance(failure(bench), StreamOverflow)
        (reset,) = bench.pull()
        assert reset.reset_code is ResetCode.WINDOW_VIOLATION

    def test_no_window_after_the_end(self) -> None:
        bench = negotiated()
        bench.receive(data(0, bytes(MIB), shows=True), fin(1))
        bench.read()
        assert bench.pull() == []

    def test_duplicates_do_not_count(self) -> None:
        bench = negotiated()
        for _ in range(20):
            bench.receive(data(1, bytes(MIB), shows=True))
        assert failure(bench) is None


class TestResets:
    @pytest.mark.parametrize(
        ("code", "expected"),
        [(ResetCode.REFUSED, StreamRefused), (ResetCode.SHUTTING_DOWN, StreamReset)],
    )
    def test_a_reset_fails_the_channel_at_once(
        self, code: ResetCode, expected: type[StreamReset]
    ) -> None:
        bench = negotiated()
        bench.receive(data(0, shows=True))
        bench.receive(replace(control(SegmentKind.RESET), reset_code=code, reason="no\nway"))
        error = failure(bench)
        assert type(error) is expected
        assert error.reset_code is code
        assert "no?way" in str(error)
        assert not bench.machine.is_readable  # buffers are discarded
        assert bench.pull() == []  # never answered
        assert bench.machine.is_over

    def test_an_abort_discards_and_tells_the_peer(self) -> None:
        bench = negotiated()
        bench.write(bytes(100_000))
        bench.machine.abort(ResetCode.CANCELLED, "enough")
        (reset,) = bench.pull()
        assert (reset.kind, reset.reason) == (SegmentKind.RESET, "enough")
        assert bench.machine.is_over
        bench.machine.abort(ResetCode.REFUSED, "again")
        assert bench.pull() == []

    def test_time_does_nothing_to_a_channel_that_has_failed(self) -> None:
        """Else the silence after it would count as a verdict about the peer."""
        memory = PeerMemory()
        bench = Bench(memory=memory)
        bench.pull()
        bench.machine.abort(ResetCode.CANCELLED, "")
        bench.machine.tick(25.0)
        assert memory.recall(ADDRESS) is None

    def test_a_plain_peer_is_told_nothing(self) -> None:
        bench = opened()
        bench.receive(data(0))
        bench.machine.abort(ResetCode.CANCELLED, "")
        assert bench.pull() == []
        assert bench.machine.is_over

    def test_what_was_on_its_way_is_not_held_after_an_abort(self) -> None:
        """The transport gives it back. It was counted on, so that others were cut in its place."""
        bench = negotiated()
        bench.write(bytes(10 * KIB))
        bench.pull()
        assert bench.machine.memory_bytes >= 10 * KIB
        bench.machine.abort(ResetCode.CANCELLED, "")
        assert bench.machine.memory_bytes == 0

    def test_an_abort_before_anything_was_sent_sends_nothing(self) -> None:
        bench = Bench()
        bench.machine.abort(ResetCode.CANCELLED, "")
        assert bench.pull() == []

    def test_an_abort_of_a_channel_that_is_over_changes_nothing(self) -> None:
        bench = negotiated()
        bench.receive(fin(0))
        bench.machine.app_finished()
        bench.pump()
        bench.acknowledge()
        bench.machine.abort(ResetCode.CANCELLED, "")
        assert failure(bench) is None

    def test_without_extensions_a_reset_means_nothing(self) -> None:
        bench = Bench(options=StreamOptions(extensions=False))
        bench.pull()
        bench.receive(control(SegmentKind.RESET), fin(0))
        assert failure(bench) is None
        assert not bench.machine.inbound.has_ended

    def test_a_peer_that_knows_ends_only_is_told_one_at_once(self) -> None:
        """What was not handed over is dropped before it, and nothing holds it up."""
        machine = ChannelMachine(ID, _KnowsEnds(PLAIN_RULES), is_dialer=False, now=0.0)
        for _ in range(5):
            machine.app_wrote(bytes(32 * KIB))
            machine.next_outgoing(0.0)  # the fifth waits for the transport
        machine.abort(ResetCode.CANCELLED, "")
        outgoing = machine.next_outgoing(0.0)
        assert outgoing is not None
        assert (outgoing.segment.kind, outgoing.segment.sequence) == (FIN, 4)
        assert machine.next_outgoing(0.0) is None
        assert machine.is_over

    def test_such_a_peer_is_not_told_a_second_end(self) -> None:
        machine = ChannelMachine(ID, _KnowsEnds(PLAIN_RULES), is_dialer=False, now=0.0)
        machine.app_finished()
        outgoing = machine.next_outgoing(0.0)
        assert outgoing is not None
        assert outgoing.segment.kind is FIN
        machine.abort(ResetCode.CANCELLED, "")
        assert machine.next_outgoing(0.0) is None
        assert machine.is_over


class TestDeliveries:
    @pytest.mark.parametrize("index", [0, 1])
    def test_a_message_given_up_is_data_lost(self, index: int) -> None:
        bench = Bench()
        bench.write(b"x")
        bench.pull()
        bench.receive(control(SegmentKind.HELLO))
        cause = DeliveryAbandoned("gone")
        bench.settle(bench.sent[index], error=cause)
        error = failure(bench)
        assert isinstance(error, StreamDataLost)
        assert error.__cause__ is cause
        assert [each.reset_code for each in bench.pull()] == [ResetCode.DATA_LOST]

    def test_a_control_message_given_up_is_not(self) -> None:
        bench = negotiated()
        bench.receive(control(SegmentKind.PROBE))
        bench.pull()
        bench.settle(bench.sent[-1], error=DeliveryAbandoned("gone"))
        assert failure(bench) is None

    def test_the_end_of_the_client_is_the_channels_error(self) -> None:
        bench = opened()
        bench.write(b"x")
        bench.pull()
        gone = ClientDisconnected("gone")
        bench.settle(bench.sent[0], error=gone)
        assert failure(bench) is gone
        assert bench.pull() == []

    def test_a_broken_writer_leaves_the_reader_alone(self) -> None:
        bench = negotiated()
        bench.write(b"half")
        bench.machine.break_sending(StreamReset("cancelled half-way"))
        bench.receive(data(0, shows=True), control(SegmentKind.PROBE))
        assert bench.read() == b"x"
        assert bench.kinds() == [SegmentKind.WINDOW]
        bench.machine.app_closed()
        assert bench.kinds() == [SegmentKind.RESET]


class TestLiveness:
    def test_a_ping_is_answered_with_its_nonce(self) -> None:
        bench = opened()
        bench.receive(Segment(SegmentKind.PING, ID, 0x01020304))
        (pong,) = bench.pull()
        assert (pong.kind, pong.sequence, pong.capabilities) == (
            SegmentKind.PONG,
            0x01020304,
            None,
        )

    def test_a_flood_of_pings_is_not_answered_whole(self) -> None:
        bench = opened()
        bench.receive(*(Segment(SegmentKind.PING, ID, nonce) for nonce in range(100)))
        assert len(bench.pull()) == 8

    def test_no_ping_before_the_peer_showed_that_it_answers(self) -> None:
        bench = opened(keepalive_seconds=60.0)
        bench.pass_time(600)
        assert [each.segment.kind for each in bench.sent] == []

    def test_three_unanswered_pings_end_the_channel(self) -> None:
        bench = opened(keepalive_seconds=60.0)
        bench.receive(Segment(SegmentKind.OPEN_ACK, ID))
        bench.pass_time(239)
        assert [each.segment.kind for each in bench.sent] == [SegmentKind.PING] * 3
        assert len({each.segment.sequence for each in bench.sent}) == 3
        assert failure(bench) is None
        bench.pass_time(2)
        assert isinstance(failure(bench), StreamIdleTimeout)

    def test_any_answer_keeps_it_alive(self) -> None:
        bench = opened(keepalive_seconds=60.0)
        bench.receive(Segment(SegmentKind.OPEN_ACK, ID))
        for _ in range(10):
            bench.pass_time(150)
            bench.receive(Segment(SegmentKind.PONG, ID, 1))
        assert failure(bench) is None

    def test_open_ack_is_sent_where_it_is_announced(self) -> None:
        bench = Bench(is_dialer=False, options=StreamOptions(announce_liveness=True))
        assert bench.kinds() == [SegmentKind.OPEN_ACK]

    def test_open_ack_establishes(self) -> None:
        bench = opened()
        assert not bench.machine.is_established
        bench.receive(Segment(SegmentKind.OPEN_ACK, ID))
        assert [bench.machine.is_established] == [True]


class TestIdle:
    def test_deadlines_never_repeat_without_effect(self) -> None:
        bench = negotiated(send_window_bytes=4 * MIB, keepalive_seconds=60.0)
        bench.receive(Segment(SegmentKind.OPEN_ACK, ID), data(3, shows=True))
        bench.write(bytes(3 * MIB))
        bench.pass_time(7200)  # raises if a deadline stands still
        assert failure(bench) is not None

    def test_sending_counts_as_activity(self) -> None:
        bench = negotiated()
        for _ in range(10):
            bench.write(b"x")
            bench.pump()
            bench.acknowledge()
            bench.pass_time(1700)
        assert failure(bench) is None
        bench.pass_time(200)
        assert isinstance(failure(bench), StreamIdleTimeout)
        assert [each.segment.reset_code for each in bench.sent] == [ResetCode.IDLE_TIMEOUT]

    def test_probes_alone_do_not_keep_a_channel_alive(self) -> None:
        bench = negotiated(send_window_bytes=4 * MIB)
        bench.write(bytes(2 * MIB))
        bench.pump()
        bench.acknowledge()
        bench.pass_time(1801)
        assert isinstance(failure(bench), StreamIdleTimeout)
        assert [each.segment.kind for each in bench.sent].count(SegmentKind.PROBE) > 20

    def test_a_peer_that_answers_probes_stays(self) -> None:
        bench = negotiated(send_window_bytes=4 * MIB)
        bench.write(bytes(2 * MIB))
        for _ in range(60):
            bench.pump()
            bench.acknowledge()
            bench.pass_time(60)
            bench.receive(control(SegmentKind.WINDOW, limit=MIB))
        assert failure(bench) is None

    def test_an_answer_that_does_not_come_ends_the_channel(self) -> None:
        bench = opened(answer_timeout_seconds=60.0)
        bench.machine.app_finished()
        bench.pump()
        bench.pass_time(100)  # not acknowledged yet: the limit has not begun
        assert not bench.machine.inbound.has_ended
        bench.acknowledge()
        bench.pass_time(59)
        bench.receive(data(0))
        bench.pass_time(59)
        assert not bench.machine.is_over
        bench.pass_time(2)
        assert bench.read() == b"x"
        assert is_at_end(bench)
        assert bench.machine.is_over

    def test_a_peer_that_could_tell_its_end_has_failed_instead(self) -> None:
        bench = negotiated(answer_timeout_seconds=60.0)
        bench.machine.app_finished()
        bench.pump()
        bench.acknowledge()
        bench.pass_time(61)
        assert isinstance(failure(bench), StreamIdleTimeout)

    def test_silence_after_our_end_is_no_end_of_a_peer_that_has_said_nothing(self) -> None:
        bench = opened(answer_timeout_seconds=60.0)
        bench.machine.app_finished()
        bench.pump()
        bench.acknowledge()
        bench.pass_time(61)
        assert isinstance(failure(bench), StreamIdleTimeout)
        assert not is_at_end(bench)

    def test_a_dialer_that_hears_nothing_gives_up(self) -> None:
        bench = opened(connect_timeout_seconds=60.0)
        bench.pass_time(50)
        bench.write(b"still sending")
        bench.pump()
        bench.acknowledge()
        bench.pass_time(59)
        assert failure(bench) is None
        bench.pass_time(2)
        assert "no answer of any kind" in str(failure(bench))

    def test_an_open_that_arrived_must_be_answered_also_while_we_send(self) -> None:
        bench = opened(opening_timeout_seconds=20.0)
        for _ in range(19):
            bench.write(b"still sending")
            bench.pump()
            bench.acknowledge()
            bench.pass_time(1)
        assert failure(bench) is None
        bench.pass_time(2)
        assert "no answer of any kind" in str(failure(bench))
        answered = opened(opening_timeout_seconds=20.0)
        answered.receive(control(SegmentKind.HELLO))
        answered.pass_time(30)
        assert failure(answered) is None
        clock = IdleClock(QuietRules(opening_timeout_seconds=20.0), 0.0)
        for now in (1.0, 9.0):  # acknowledged, and again in one go with others
            clock.opened(now)
        limits = clock.limits(out_ended_at=None, out_ended=False, in_ended=False)
        assert limits[Quiet.UNANSWERED] == 21.0
        nowhere = Bench(opening_timeout_seconds=20.0)
        nowhere.pump()
        nowhere.pass_time(30)
        assert failure(nowhere) is None

    def test_time_in_which_nothing_could_be_heard_does_not_count_but_for_the_idle_limit(
        self,
    ) -> None:
        waits = opened(connect_timeout_seconds=60.0)
        waits.machine.could_not_hear(30.0)
        waits.pass_time(89)
        assert failure(waits) is None
        waits.pass_time(2)
        assert failure(waits) is not None
        heard = opened(answer_timeout_seconds=60.0)
        heard.machine.app_finished()
        heard.pump()
        heard.acknowledge()
        heard.machine.could_not_hear(30.0)
        heard.receive(data(0))
        heard.pass_time(61)
        assert heard.read() == b"x"
        assert is_at_end(heard)
        idle = negotiated(idle_timeout_seconds=60.0)
        idle.machine.could_not_hear(1000.0)
        idle.pass_time(61)
        assert failure(idle) is not None

    def test_a_peer_that_speaks_by_itself_and_stops_is_gone_whatever_has_ended(self) -> None:
        bench = negotiated(dead_seconds=100.0)
        bench.receive(fin(0))
        for _ in range(3):
            bench.pass_time(99)
            bench.receive(control(SegmentKind.PROBE))
        assert failure(bench) is None
        bench.pass_time(101)
        assert "has stopped to ask" in str(failure(bench))

    def test_any_answer_ends_that_limit(self) -> None:
        bench = opened(connect_timeout_seconds=60.0)
        bench.receive(control(SegmentKind.HELLO))
        bench.pass_time(100)
        assert failure(bench) is None

    def test_a_dialer_that_aborts_before_any_answer_says_so_to_a_peer_that_may_know(self) -> None:
        bench = Bench()
        assert bench.kinds() == [OPEN]
        bench.machine.abort(ResetCode.CANCELLED, "")
        assert bench.kinds() == [SegmentKind.RESET]
        assert bench.machine.is_over
        plain = opened()
        plain.receive(data(0))
        plain.machine.abort(ResetCode.CANCELLED, "")
        assert plain.kinds() == []

    def test_silence_can_be_taken_for_the_end(self) -> None:
        bench = opened(silence_end_seconds=5.0)
        bench.receive(data(0))
        bench.pass_time(4)
        assert not bench.machine.inbound.has_ended
        bench.pass_time(2)
        assert [bench.machine.inbound.has_ended] == [True]

    def test_half_closed_channels_may_have_a_shorter_limit(self) -> None:
        bench = negotiated(half_closed_timeout_seconds=600.0)
        bench.receive(fin(0))
        bench.pass_time(599)
        assert failure(bench) is None
        bench.pass_time(2)
        assert isinstance(failure(bench), StreamIdleTimeout)
