"""Both pacings: the schedule with cover and back-pressure, and none."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from nymproxy.mixnet.machine.pacing import (
    BATCH,
    Departures,
    ScheduledSending,
    UnpacedSending,
    make_pacing,
)
from nymproxy.mixnet.traffic import BARE, DEFAULT, TrafficProfile


def scheduled(profile: TrafficProfile = DEFAULT) -> ScheduledSending:
    pacing = make_pacing(profile, random.Random(1).randbytes, 0.0)
    assert isinstance(pacing, ScheduledSending)
    return pacing


class TestScheduled:
    def test_the_rate_does_not_depend_on_what_waits(self) -> None:
        counts = []
        for sendable in (0, 1000):
            pacing, now, packets = scheduled(), 0.0, 0
            while now < 60.0:
                now = pacing.next_departure(sendable)
                due = pacing.due(now, sendable)
                assert due.covered
                packets += due.packets
            counts.append(packets)
        assert counts[0] == counts[1]
        assert counts[0] == pytest.approx(60 * 50, rel=0.1)

    def test_loop_cover_is_besides_the_schedule(self) -> None:
        pacing, now, covers = scheduled(), 0.0, 0
        while now < 60.0:
            now = pacing.next_departure(0)
            covers += pacing.due(now, 0).loop_covers
        assert covers == pytest.approx(60 * 5, rel=0.2)

    def test_nothing_is_due_before_its_time(self) -> None:
        pacing = scheduled()
        assert pacing.due(0.0, 10) == Departures(0, covered=True, loop_covers=0)

    def test_a_late_caller_catches_up_in_batches(self) -> None:
        pacing = scheduled(replace(DEFAULT, loop_cover_delay_seconds=None))
        caught_up = 0
        while due := pacing.due(0.9, 0).packets:
            assert due <= BATCH
            caught_up += due
        assert caught_up == pytest.approx(45, abs=20)

    def test_writes_that_take_long_slow_it_down_and_calm_ones_speed_it_up(self) -> None:
        pacing, now = scheduled(), 0.0
        multipliers = []
        for waited in [1.0] * 8 + [0.0] * 40:
            now += 1.1
            pacing.written(now, waited)
            multipliers.append(pacing._schedule.multiplier)
        assert max(multipliers) == 6
        assert multipliers[-1] == 1


class TestUnpaced:
    def test_what_may_leave_leaves_at_once_in_batches(self) -> None:
        pacing = make_pacing(BARE, random.Random(1).randbytes, 0.0)
        assert isinstance(pacing, UnpacedSending)
        assert pacing.next_departure(0) == math.inf
        assert pacing.next_departure(1) == -math.inf
        assert pacing.due(0.0, 3) == Departures(3, covered=False, loop_covers=0)
        assert pacing.due(0.0, 100).packets == BATCH
        pacing.written(0.0, 100.0)
        assert pacing.due(0.0, 100).packets == BATCH

    def test_loop_cover_has_its_own_schedule(self) -> None:
        profile = replace(BARE, loop_cover_delay_seconds=1.0)
        pacing = make_pacing(profile, random.Random(1).randbytes, 0.0)
        now, covers = 0.0, 0
        while now < 60.0:
            now = pacing.next_departure(0)
            due = pacing.due(now, 0)
            assert due.packets == 0
            covers += due.loop_covers
        assert covers == pytest.approx(60, rel=0.4)
