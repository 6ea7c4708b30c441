"""Serial numbers, windows, queue, flight, timers, tombstones, orphans: each by itself."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import SenderTag
from nymproxy.channel import Segment, SegmentKind
from nymproxy.channel.aliases import MAX_ALIASES, Aliases
from nymproxy.channel.flight import Flight
from nymproxy.channel.orphans import OrphanLimits, Orphans
from nymproxy.channel.queues import ReadQueue, WriteQueue
from nymproxy.channel.segment import ChannelId, ChannelKey
from nymproxy.channel.serial import serial_distance
from nymproxy.channel.tombstones import (
    MAX_FAREWELLS,
    MAX_WORDS,
    RESET_INTERVAL_SECONDS,
    WORDS_SECONDS,
    Tombstones,
)
from nymproxy.channel.windows import ReceiveWindow, SendWindow
from tests.channel.builders import ID, TAG, data

MODULI = st.sampled_from([1 << 16, 1 << 32])


class TestSerial:
    @given(MODULI, st.integers(0), st.integers(-30_000, 30_000))
    def test_distance_is_what_was_added(self, modulus: int, start: int, step: int) -> None:
        end = (start + step) % modulus
        assert serial_distance(start % modulus, end, modulus) == step

    @pytest.mark.parametrize("modulus", [1 << 16, 1 << 32])
    def test_half_of_the_range_lies_before(self, modulus: int) -> None:
        half = modulus // 2
        assert serial_distance(0, half - 1, modulus) == half - 1
        assert serial_distance(0, half, modulus) == -half
        assert serial_distance(0, modulus - 1, modulus) == -1
        assert serial_distance(modulus - 1, 0, modulus) == 1


class TestReceiveWindow:
    def test_a_new_limit_is_due_when_half_of_the_grant_is_consumed(self) -> None:
        window = ReceiveWindow(100, 10)
        assert not window.consume(49)
        assert window.limit == 100
        assert window.consume(1)
        assert window.limit == 150

    def test_each_grant_has_its_own_half(self) -> None:
        window = ReceiveWindow(100, 10)
        grants = [window.limit for _ in range(100) if window.consume(10)]
        assert grants == [150 + 50 * number for number in range(20)]

    def test_data_beyond_limit_and_tolerance_is_a_violation(self) -> None:
        window = ReceiveWindow(100, 10)
        assert window.receive(100)
        assert window.receive(10)
        assert not window.receive(1)

    @given(st.lists(st.integers(0, 300), max_size=50))
    def test_limits_only_grow_and_never_exceed_what_was_consumed(self, counts: list[int]) -> None:
        window = ReceiveWindow(100, 0)
        consumed, last = 0, window.limit
        for count in counts:
            consumed += count
            window.consume(count)
            assert last <= window.limit <= consumed + 100
            assert window.limit > consumed + 100 // 2 - 1 or not consumed
            last = window.limit


class TestSendWindow:
    def window(self) -> SendWindow:
        return SendWindow(100, probe_after=30, probe_interval=60)

    def test_room_shrinks_and_grows(self) -> None:
        window = self.window()
        window.count_sent(70)
        assert window.room == 30
        window.raise_limit(150)
        assert window.room == 80

    def test_smaller_limits_are_ignored(self) -> None:
        window = self.window()
        window.raise_limit(50)
        assert window.room == 100

    def test_bytes_sent_before_negotiation_leave_no_negative_room(self) -> None:
        window = self.window()
        window.count_sent(1000)
        assert window.room == 0
        window.raise_limit(1001)
        assert window.room == 1

    def test_probes_come_after_30_seconds_and_then_every_60(self) -> None:
        window = self.window()
        assert window.probe_at == math.inf
        window.blocked(5)
        window.blocked(20)  # still the same blockade
        assert window.probe_at == 35
        window.probed(35)
        assert window.probe_at == 95

    def test_a_new_limit_ends_the_blockade(self) -> None:
        window = self.window()
        window.blocked(0)
        window.raise_limit(101)
        assert window.probe_at == math.inf
        window.blocked(10)
        assert window.probe_at == 40
        window.unblocked()
        assert window.probe_at == math.inf


class TestReadQueue:
    def test_reads_join_frames(self) -> None:
        queue = ReadQueue()
        for frame in (b"ab", b"", b"cd", b"efg"):
            queue.append(frame)
        assert queue.take(5) == b"abcd"
        assert queue.take(2) == b"ef"
        assert queue.take(2) == b"g"
        assert not queue

    def test_a_frame_is_returned_whole_or_as_the_rest(self) -> None:
        queue = ReadQueue()
        queue.append(b"abcdef")
        queue.append(b"gh")
        assert queue.take(2) == b"ab"
        assert queue.take_frame() == b"cdef"
        assert queue.take_frame() == b"gh"

    @given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 30)))
    def test_any_reads_give_the_bytes_in_order(self, frames: list[bytes], sizes: list[int]) -> None:
        queue = ReadQueue()
        for frame in frames:
            queue.append(frame)
        taken = b""
        for size in sizes:
            if queue:
                piece = queue.take(size)
                assert 0 < len(piece) <= size
                taken += piece
            assert queue.unread_bytes == sum(map(len, frames)) - len(taken)
        while queue:
            taken += queue.take_frame()
        assert taken == b"".join(frames)
        assert queue.unread_bytes == queue.memory_bytes == 0

    def test_tiny_frames_cost_more_than_their_bytes(self) -> None:
        queue = ReadQueue()
        for _ in range(10):
            queue.append(b"x")
        assert queue.memory_bytes > 10 * 32
        queue.clear()
        assert queue.memory_bytes == 0


class TestWriteQueue:
    @given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 30)))
    def test_pieces_are_cut_anew(self, pieces: list[bytes], sizes: list[int]) -> None:
        queue = WriteQueue()
        for piece in pieces:
            queue.append(piece)
        whole, taken = b"".join(pieces), b""
        for size in sizes:
            piece = queue.take(size)
            assert len(piece) == min(size, len(whole) - len(taken))
            taken += piece
            assert queue.size == len(whole) - len(taken)
        assert whole.startswith(taken)
        queue.clear()
        assert queue.size == 0
        assert queue.take(5) == b""


class TestFlight:
    def test_distance_counts_from_the_oldest_unacknowledged(self) -> None:
        flight = Flight()
        assert flight.ahead(0) == 0
        for index in range(5):
            flight.add(index, 10)
        assert flight.ahead(5) == 5
        flight.acknowledged(3)  # behind the gap: changes nothing
        assert flight.ahead(5) == 5
        flight.acknowledged(0)
        flight.acknowledged(1)
        assert flight.ahead(5) == 3
        flight.acknowledged(2)
        flight.acknowledged(4)
        assert flight.ahead(5) == 0
        assert flight.is_empty

    def test_unsent_bytes_are_those_whose_last_packet_has_not_left(self) -> None:
        flight = Flight()
        flight.add(0, 10)
        flight.add(1, 5)
        assert (flight.unsent_messages, flight.unsent_bytes) == (2, 15)
        assert flight.sent(0)
        assert not flight.sent(0)
        assert (flight.unsent_messages, flight.unsent_bytes) == (1, 5)
        assert flight.acknowledged(1)  # implies sent
        assert not flight.acknowledged(1)
        assert (flight.unsent_messages, flight.unsent_bytes) == (0, 0)
        assert not flight.sent(7)


class TestTombstones:
    def test_a_tombstone_lasts_ten_minutes(self) -> None:
        stones: Tombstones[str] = Tombstones()
        stones.add("a", TAG, 0, answers=True)
        assert stones.get("a", 599) is not None
        assert stones.get("a", 600) is None
        assert len(stones) == 0

    def test_what_is_held_outlasts_its_time_and_begins_it_when_it_is_let_go(self) -> None:
        stones: Tombstones[str] = Tombstones(limit=1)
        stones.add("held", TAG, 0, answers=True, is_held=True)
        stones.add("too many", TAG, 0, answers=True, is_held=True)
        assert stones.get("too many", 600) is None
        assert stones.get("held", 5000) is not None
        for now in (5000, 5500):  # the second time changes nothing
            stones.release("held", now)
        stones.release("unknown", 5000)
        assert stones.get("held", 5599) is not None
        assert stones.get("held", 5600) is None
        assert len(stones) == 0

    def test_an_opening_is_answered_once_a_second(self) -> None:
        stones: Tombstones[str] = Tombstones()
        stones.add("a", TAG, 0, answers=False)
        stone = stones.get("a", 1)
        assert stone is not None
        answered = [stone.may_answer_offer(at / 10) for at in range(10, 31)]
        assert [at for at, is_answered in enumerate(answered) if is_answered] == [0, 10, 20]

    def test_the_oldest_go_when_there_are_too_many(self) -> None:
        stones: Tombstones[int] = Tombstones(limit=10_000)
        for number in range(10_001):
            stones.add(number, TAG, number / 1000, answers=True)
        assert len(stones) == 10_000
        assert stones.get(0, 20) is None
        assert stones.get(1, 20) is not None

    def test_few_keep_what_answers_for_them(self) -> None:
        class Words:
            def answer(self, segment: Segment, now: float) -> list[bytes]:
                return []

            def farewell(self) -> bytes:
                return b"leaving"

        stones: Tombstones[int] = Tombstones(limit=MAX_WORDS + 10)
        for number in range(MAX_WORDS + 1):
            stones.add(number, TAG, 0.0, answers=True, words=Words())
        kept = [stones.get(number, 1.0) for number in (0, 1, MAX_WORDS)]
        assert [stone is not None and stone.words is not None for stone in kept] == [
            False,
            True,
            True,
        ]
        assert stones.get(1, 600.0) is None  # and those that expire make room
        for number in range(100_000, 100_000 + MAX_WORDS):
            stones.add(number, TAG, 600.0, answers=True, words=Words())
        first = stones.get(100_000, 601.0)
        assert first is not None
        assert first.words is not None
        assert stones.farewells() == [(TAG, b"leaving")] * MAX_FAREWELLS

    def test_a_key_that_is_used_up_again_has_one_answer_and_its_time_begins_anew(self) -> None:
        class Words:
            def answer(self, segment: Segment, now: float) -> list[bytes]:
                return []

            def farewell(self) -> bytes:
                return b"leaving"

        stones: Tombstones[str] = Tombstones()
        first, second = Words(), Words()
        for now in (0.0, 100.0):  # a dialer that resumes what is over does so again and again
            stones.add("a", TAG, now, answers=True, words=first)
        assert stones.get("a", 450.0) is not None
        assert stones.farewells() == [(TAG, b"leaving")]
        stones.add("a", TAG, 450.0, answers=True, words=second)
        assert stones.farewells() == [(TAG, b"leaving")]
        assert len(stones) == 1

    def test_what_answers_goes_when_nobody_asks_any_more(self) -> None:
        class Words:
            def answer(self, segment: Segment, now: float) -> list[bytes]:
                return []

            def farewell(self) -> bytes | None:
                return None

        stones: Tombstones[str] = Tombstones()
        stones.add("silent", TAG, 0.0, answers=True)
        for key, is_held in (("answers", False), ("held", True)):
            stones.add(key, TAG, 0.0, answers=True, words=Words(), is_held=is_held)
        stones.release("held", 100.0)
        ends = {"answers": WORDS_SECONDS, "held": 100.0 + WORDS_SECONDS, "silent": 600.0}
        for key, end in ends.items():  # though it lies behind an older one that stays longer
            assert stones.get(key, end - 1.0) is not None
            assert stones.get(key, end) is None
        assert len(stones) == 0

    def test_data_is_answered_once_a_minute(self) -> None:
        stones: Tombstones[str] = Tombstones()
        stones.add("a", TAG, 0, answers=True)
        stone = stones.get("a", 1)
        assert stone is not None
        assert stone.may_answer(1)
        assert not stone.may_answer(RESET_INTERVAL_SECONDS)
        assert stone.may_answer(1 + RESET_INTERVAL_SECONDS)

    def test_a_peer_that_had_ended_is_not_answered(self) -> None:
        stones: Tombstones[str] = Tombstones()
        stones.add("a", TAG, 0, answers=False)
        stone = stones.get("a", 1)
        assert stone is not None
        assert not stone.may_answer(1)


class TestOrphans:
    def test_they_come_back_in_the_order_of_arrival(self) -> None:
        orphans: Orphans[str] = Orphans(OrphanLimits())
        segments = [data(2), data(0), data(1)]
        for segment in segments:
            assert orphans.add("a", segment, 0)
        assert orphans.frames("a") == 3
        assert orphans.take("a", 1) == segments
        assert orphans.take("a", 1) == []
        assert orphans.total_bytes == len(orphans) == orphans.frames("a") == 0

    def test_the_first_of_two_equal_numbers_stays(self) -> None:
        orphans: Orphans[str] = Orphans(OrphanLimits())
        assert orphans.add("a", data(0, b"first"), 0)
        assert not orphans.add("a", data(0, b"second"), 0)
        assert orphans.take("a", 0)[0].payload == b"first"

    def test_sealed_segments_are_all_kept_since_their_place_is_not_known(self) -> None:
        orphans: Orphans[str] = Orphans(OrphanLimits(frames_per_id=3))
        sealed = [Segment(SegmentKind.PROTECTED, ID, payload=bytes([each])) for each in range(4)]
        assert [orphans.add("a", each, 0) for each in sealed] == [True, True, True, False]
        assert orphans.take("a", 0) == sealed[:3]

    def test_age_counts_from_the_first_frame(self) -> None:
        orphans: Orphans[str] = Orphans(OrphanLimits())
        orphans.add("a", data(0), 0)
        orphans.add("a", data(1), 29)
        assert orphans.take("a", 30) == []

    def test_a_new_id_over_the_limit_evicts_the_oldest(self) -> None:
        orphans: Orphans[int] = Orphans(OrphanLimits(ids=3))
        for key in range(4):
            assert orphans.add(key, data(0), key)
        assert [orphans.frames(key) for key in range(4)] == [0, 1, 1, 1]

    def test_frames_and_bytes_of_one_id_are_bounded(self) -> None:
        limits = OrphanLimits(frames_per_id=2, bytes_per_id=100)
        orphans: Orphans[str] = Orphans(limits)
        assert not orphans.add("a", data(0, bytes(101)), 0)
        assert orphans.add("a", data(0, bytes(60)), 0)
        assert not orphans.add("a", data(1, bytes(41)), 0)
        assert orphans.add("a", data(1, bytes(40)), 0)
        assert not orphans.add("a", data(2, b""), 0)
        assert orphans.total_bytes == 100

    def test_bytes_in_all_are_bounded(self) -> None:
        orphans: Orphans[int] = Orphans(replace(OrphanLimits(), total_bytes=100))
        source = random.Random(1)
        for number in range(500):
            segment = data(source.randrange(9), bytes(source.randrange(40)))
            orphans.add(source.randrange(50), segment, number / 10)
            assert orphans.total_bytes <= 100
        orphans.clear()
        assert orphans.total_bytes == len(orphans) == 0
        assert not orphans.add(1, data(0, bytes(101)), 50.0)

    def test_strangers_who_fill_it_lose_to_who_has_little(self) -> None:
        """16 MiB of early frames had those of everybody else dropped for half a minute."""
        limits = OrphanLimits()
        orphans: Orphans[str] = Orphans(limits)
        for number in range(limits.total_bytes // limits.bytes_per_id):
            assert orphans.add(f"stranger {number}", data(0, bytes(limits.bytes_per_id)), 0.0)
        assert orphans.add("honest", data(0, bytes(1_400)), 0.1)
        assert orphans.add("honest", data(1, bytes(1_400)), 0.1)
        assert orphans.frames("honest") == 2
        assert not orphans.add("one more", data(0, bytes(limits.bytes_per_id)), 0.1)


TAGS = [SenderTag(bytes([number]) * 16) for number in range(5)]
KEYS = [ChannelKey("stream", tag, ChannelId(7)) for tag in TAGS]


class TestAliases:
    def test_a_channel_is_found_by_its_key_and_the_last_aliases(self) -> None:
        aliases = Aliases()
        original, *others = KEYS
        assert aliases.key_of(original) == original
        for alias in others:
            aliases.add(alias, original)
            aliases.add(alias, original)
        found = [alias for alias in others if aliases.key_of(alias) == original]
        assert found == others[-MAX_ALIASES:]

    def test_nothing_is_left_of_a_channel_that_is_over(self) -> None:
        aliases = Aliases()
        original, alias, *_ = KEYS
        aliases.add(alias, original)
        assert aliases.remove(original) == [alias]
        assert aliases.remove(original) == []
        assert aliases.key_of(alias) == alias
