"""What is kept, and when it is sent again, in virtual time."""

from __future__ import annotations

import itertools
import math

import pytest

from nymproxy.stream.nx2.frame_size import MOST_FRAME_BYTES
from nymproxy.stream.nx2.frames import Ack
from nymproxy.stream.nx2.kept import (
    LEAST_CHARGE_BYTES,
    MAX_BYTES_AHEAD,
    MAX_FRAMES_AHEAD,
    STALLED_SECONDS,
    Kept,
)
from nymproxy.stream.nx2.roundtrip import (
    LEAST_QUESTION_SECONDS,
    LONGEST_ACK_PAUSE_SECONDS,
    MOST_QUESTION_SECONDS,
    RoundTrip,
)


def kept(count: int = 0, *, delivered_at: float | None = 0.5) -> Kept:
    """``count`` frames that were handed over at 0, and delivered after half a second."""
    frames = Kept(RoundTrip(), 0.0)
    for sequence in range(count):
        frames.add(sequence, b"%d" % sequence, 0.0)
        frames.handed_over(sequence, 0.0)
        if delivered_at is not None:
            frames.delivered(sequence, delivered_at)
    return frames


def due(frames: Kept, now: float) -> list[int]:
    taken = []
    while (each := frames.take_due(now)) is not None:
        frames.handed_over(each[0], now)
        taken.append(each[0])
    return taken


def ack(next_expected: int, *ranges: tuple[int, int], echo: int = 0) -> Ack:
    return Ack(next_expected, 1, echo, 0, ranges)


def test_what_is_acknowledged_is_dropped() -> None:
    frames = kept(4)
    assert frames.charged_bytes == 4 * LEAST_CHARGE_BYTES
    assert frames.acknowledge(2, 1.0) == [0, 1]
    assert frames.take_ack(ack(2, (3, 3)), 1.0) == [3]
    assert frames.charged_bytes == LEAST_CHARGE_BYTES
    assert frames.take_ack(ack(4), 1.0) == [2]
    assert frames.is_empty
    assert frames.deadline == math.inf
    assert frames.charged_bytes == 0


def test_a_range_of_all_numbers_there_are_takes_no_longer_than_what_is_kept() -> None:
    """One ACK, of 80 bytes, kept the process busy for some minutes."""
    frames = kept(MAX_FRAMES_AHEAD)
    assert frames.take_ack(ack(0, (3, 2**32 - 1)), 1.0) == list(range(3, MAX_FRAMES_AHEAD))
    assert frames.take_ack(ack(2**32 - 1), 1.0) == [0, 1, 2]
    assert frames.is_empty


def test_large_frames_are_charged_as_they_are() -> None:
    frames = Kept(RoundTrip(), 0.0)
    frames.add(0, bytes(5000), 0.0)
    assert frames.charged_bytes == 5000


def test_a_gap_is_sent_again_when_it_is_old_enough() -> None:
    frames = kept(3)
    frames.take_ack(ack(0, (1, 2)), 1.0)
    assert due(frames, 1.9) == []
    assert frames.deadline == pytest.approx(2.0)  # 0.5 s, and 1.5 s: srtt is shorter
    assert due(frames, 2.0) == [0]
    assert due(frames, 60.0) == []


def test_what_is_still_on_its_way_is_left_to_the_packet_level() -> None:
    frames = kept(3, delivered_at=None)
    frames.take_ack(ack(0, (2, 2)), 5.0)
    assert due(frames, 60.0) == []
    frames.given_up(1, 61.0)
    assert due(frames, 61.0) == [1]


def test_the_same_frame_goes_again_after_longer_and_longer() -> None:
    frames = kept(2)
    now, pauses = 0.0, []
    for _ in range(8):
        frames.take_ack(ack(0, (1, 1)), now)
        at = frames.deadline if frames.deadline > now else now
        while not due(frames, at):
            at += 0.25
        pauses.append(at - now)
        now = at
        frames.delivered(0, now)
    assert pauses[0] == pytest.approx(2.0)
    assert pauses[1:] == [pytest.approx(each) for each in (3, 6, 6, 6, 6, 6, 6)]


def test_what_packets_do_not_get_through_goes_again_after_half_a_minute_at_most() -> None:
    frames = kept(1)
    now, pauses = 0.0, []
    for _ in range(8):
        frames.given_up(0, now)
        at = frames.deadline
        assert due(frames, at) == [0]
        pauses.append(at - now)
        now = at
    assert pauses == [pytest.approx(each) for each in (1.5, 3, 6, 12, 24, 30, 30, 30)]


def test_new_frames_are_smaller_when_gateways_lose_what_they_acknowledged() -> None:
    frames = Kept(RoundTrip(), 0.0)
    for sequence in range(2):
        frames.add(sequence, bytes(32_768), 0.0)
        frames.handed_over(sequence, 0.0)
        frames.delivered(sequence, 0.5)
    frames.take_ack(ack(0, (1, 1)), 1.0)
    assert frames.frame_size.payload_bytes == MOST_FRAME_BYTES
    assert due(frames, 2.5) == [0]
    assert frames.frame_size.payload_bytes == 16_384
    frames.delivered(0, 3.0)
    frames.take_ack(ack(2), 3.0)  # only a frame that came at once is a sign that they may be larger
    assert frames.frame_size.payload_bytes == 16_384


def test_what_never_arrived_at_a_gateway_or_moves_says_nothing_of_the_size() -> None:
    frames = kept(2)
    frames.moved(1.0)
    assert due(frames, 1.0) == [0, 1]
    frames.given_up(0, 40.0)
    assert due(frames, 80.0) == [0]
    assert frames.frame_size.payload_bytes == MOST_FRAME_BYTES


def test_a_probe_finds_a_tail_that_was_lost() -> None:
    frames = kept(3)
    assert frames.probe_at == pytest.approx(3.5)
    frames.probed(7, 3.5)
    frames.take_ack(ack(0), 4.0)  # made before the PROBE came
    assert due(frames, 4.0) == []
    frames.take_ack(ack(1, echo=7), 4.5)
    assert due(frames, 4.5) == [1, 2]
    assert frames.probe_at == math.inf


def test_a_probe_says_nothing_of_what_was_delivered_after_it() -> None:
    frames = kept(2)
    frames.probed(7, 3.5)
    frames.add(2, b"late", 3.6)
    frames.handed_over(2, 3.6)
    frames.delivered(2, 3.9)
    frames.take_ack(ack(2, echo=7), 4.0)
    assert due(frames, 60.0) == []


def test_a_probe_is_repeated_after_longer_and_longer() -> None:
    frames, times = kept(1), []
    for counter in range(1, 6):
        times.append(frames.probe_at)
        frames.probed(counter, frames.probe_at)
    assert [b - a for a, b in itertools.pairwise(times)] == [6, 12, 24, 30]


def test_gaps_that_an_ack_has_no_room_for_are_not_missing() -> None:
    frames = kept(40)
    ranges = tuple((sequence, sequence) for sequence in range(1, 33, 2))
    frames.probed(7, 3.0)
    frames.take_ack(ack(0, *ranges, echo=7), 4.0)
    assert due(frames, 4.0) == list(range(0, 31, 2))


def test_a_late_packet_acknowledgement_asks_for_another_ack() -> None:
    frames = kept(2)
    frames.take_ack(ack(0, (1, 1)), 1.0)
    due(frames, 2.0)
    frames.take_ack(ack(0, (1, 1)), 2.5)
    assert due(frames, 60.0) == []


def test_bounds() -> None:
    frames = kept(MAX_FRAMES_AHEAD)
    room = [frames.has_room]
    frames.take_ack(ack(0, (1, MAX_FRAMES_AHEAD - 1)), 1.0)
    room.append(frames.has_room)  # all are ahead of what is missing, though only that is kept
    frames.acknowledge(MAX_FRAMES_AHEAD, 1.0)
    room.append(frames.has_room)
    frames.add(MAX_FRAMES_AHEAD, bytes(MAX_BYTES_AHEAD), 1.0)
    room.append(frames.has_room)
    assert room == [False, False, True, False]


def test_no_progress_ends_it() -> None:
    frames = kept(2)
    assert frames.stalled_at == STALLED_SECONDS
    frames.acknowledge(1, 10.0)
    assert frames.stalled_at == 10.0 + STALLED_SECONDS
    frames.acknowledge(2, 20.0)
    assert frames.stalled_at == math.inf
    frames.add(2, b"x", 1000.0)
    assert frames.stalled_at == 1000.0 + STALLED_SECONDS


def test_the_round_trip_is_of_frames_that_were_sent_once() -> None:
    frames = kept(1, delivered_at=None)
    frames.given_up(0, 40.0)
    due(frames, 40.0)
    frames.delivered(0, 41.0)
    assert frames.round_trip.seconds == 0
    frames = kept(1, delivered_at=2.0)
    assert frames.round_trip.seconds == 2.0
    assert frames.round_trip.question_seconds == 4.0
    assert frames.round_trip.resend_seconds == 6.0


def test_after_a_move_all_that_is_missing_is_sent_at_once() -> None:
    frames = kept(4, delivered_at=None)
    frames.take_ack(ack(1, (2, 2)), 1.0)
    frames.probed(9, 1.0)
    frames.moved(2.0)
    assert due(frames, 2.0) == [1, 3]
    frames.given_up(1, 2.0)  # what was under way when the stream left
    assert due(frames, 2.1) == [1]
    assert frames.probe_at == math.inf
    frames.given_up(1, 2.5)  # and later ones are as usual
    assert due(frames, 2.5) == []
    assert due(frames, 5.2) == [1]


def test_a_busy_peer_is_asked_later_also_about_other_streams() -> None:
    kept, other = Kept(RoundTrip(), 0.0), Kept(RoundTrip(), 0.0)
    other.round_trip.peer = kept.round_trip.peer
    for each in (kept, other):
        each.add(0, b"frame", 0.0)
        each.handed_over(0, 0.0)
        each.delivered(0, 0.1)
    assert other.probe_at == pytest.approx(0.1 + LEAST_QUESTION_SECONDS)
    kept.acknowledge(1, 0.1 + LONGEST_ACK_PAUSE_SECONDS + 8.0)
    assert other.probe_at == pytest.approx(0.1 + LONGEST_ACK_PAUSE_SECONDS + 2.0)
    other.handed_over(0, 5.0)
    other.delivered(0, 5.1)
    other.acknowledge(1, 50.0)  # which of the two was answered is not known
    assert kept.round_trip.peer.seconds == pytest.approx(1.0)


def test_what_waits_behind_a_lost_frame_makes_no_peer_look_busy() -> None:
    """Each of them did: after one that took a minute, the next question waited for two."""
    frames = kept(20, delivered_at=0.1)
    frames.given_up(0, 0.2)
    assert due(frames, 2.0) == [0]
    frames.take_ack(ack(0, (1, 9)), 3.0)
    frames.acknowledge(20, 60.0)
    assert frames.round_trip.peer.seconds == 0.0


def test_what_is_acknowledged_at_once_is_one_sample() -> None:
    frames = kept(20, delivered_at=0.0)
    frames.acknowledge(20, LONGEST_ACK_PAUSE_SECONDS + 8.0)
    assert frames.round_trip.peer.seconds == pytest.approx(1.0)


def test_no_peer_is_so_busy_that_it_is_asked_later_than_half_a_minute() -> None:
    frames = kept(1, delivered_at=0.0)
    for _ in range(100):
        frames.round_trip.peer.sample(200.0)
    assert frames.probe_at == MOST_QUESTION_SECONDS
