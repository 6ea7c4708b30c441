"""Openings: none twice, none that is stale, some only when confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nymproxy.channel import PeerMemory
from nymproxy.stream.nx2 import openings
from nymproxy.stream.nx2.frames import Offer
from nymproxy.stream.nx2.openings import Openings, Verdict
from tests.stream.nx2.builders import ADDRESS

NOW = 29_000_000 * 60.0


def offer(number: int = 0, minutes: int = 29_000_000) -> Offer:
    return Offer(minutes, number.to_bytes(32, "big"))


@pytest.mark.parametrize(
    ("off", "verdict"),
    [(-8, Verdict.STALE), (-7, Verdict.CONFIRM), (7, Verdict.OPEN), (8, Verdict.STALE)],
)
def test_the_clock_decides_what_is_stale(off: int, verdict: Verdict) -> None:
    assert Openings().judge(offer(minutes=29_000_000 + off), NOW) is verdict


@pytest.mark.parametrize("off", range(-7, 8))
def test_no_opening_is_taken_twice_however_late(off: int) -> None:
    each, first = Openings(), offer(minutes=29_000_000 + off)
    assert each.judge(first, NOW) in {Verdict.OPEN, Verdict.CONFIRM}
    for seconds in range(0, 20 * 60, 10):
        verdict = each.judge(first, NOW + seconds)
        assert verdict in {Verdict.REPLAYED, Verdict.STALE}


def test_openings_are_forgotten_when_they_would_be_stale() -> None:
    each = Openings()
    for number in range(50):
        each.judge(offer(number), NOW)
    assert each.judge(offer(99, 29_000_100), NOW + 6000) is Verdict.OPEN
    assert len(each._seen) == 1


def test_a_full_memory_asks_for_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "MAX_REMEMBERED", 2)
    each = Openings()
    verdicts = [each.judge(offer(number), NOW) for number in range(3)]
    assert verdicts == [Verdict.OPEN, Verdict.OPEN, Verdict.CONFIRM]
    assert each.judge(offer(0), NOW) is Verdict.REPLAYED


def test_what_a_former_life_may_have_carried_out_is_confirmed() -> None:
    each = Openings(started_at=NOW - 60)
    assert each.judge(offer(0), NOW) is Verdict.CONFIRM
    assert each.judge(offer(1, 29_000_005), NOW + 300) is Verdict.OPEN


def test_what_waited_at_the_gateway_is_confirmed() -> None:
    each = Openings()
    assert each.judge(offer(0, 29_000_001), NOW + 90, 0.0) is Verdict.CONFIRM
    assert each.judge(offer(1, 29_000_001), NOW + 130, 71.0) is Verdict.OPEN
    assert each.judge(offer(2, 29_000_002), NOW + 130, 10.0) is Verdict.OPEN


def test_what_has_waited_elsewhere_for_long_is_confirmed() -> None:
    """With a process that was stopped, say, which kept its gateway."""
    each = Openings()
    assert each.judge(offer(0), NOW + 240) is Verdict.OPEN
    assert each.judge(offer(1), NOW + 241) is Verdict.CONFIRM


def test_sealed_peers_are_remembered_within_a_bound() -> None:
    memory = PeerMemory(limit=2)
    others = [replace(ADDRESS, encryption=bytes([n]) * 32) for n in range(3)]
    for each in (others[0], others[1], others[0], others[2]):
        memory.remember_sealed(each)
    assert [memory.was_sealed(each) for each in others] == [True, False, True]
