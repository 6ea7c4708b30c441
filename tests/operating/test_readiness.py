"""What is told of a forward, over time."""

from __future__ import annotations

import math

from nymproxy.operating.readiness import LOST_SECONDS, Readiness


def test_ready_is_told_at_once_and_only_once() -> None:
    readiness = Readiness()
    assert readiness.deadline == math.inf
    assert readiness.update(is_ready=True, now=5.0)
    assert readiness.is_told
    assert not readiness.update(is_ready=True, now=6.0)


def test_a_short_loss_is_not_told() -> None:
    readiness = Readiness()
    readiness.update(is_ready=True, now=0.0)
    assert not readiness.update(is_ready=False, now=1.0)
    assert readiness.deadline == 1.0 + LOST_SECONDS
    assert not readiness.update(is_ready=False, now=LOST_SECONDS)
    assert not readiness.update(is_ready=True, now=LOST_SECONDS + 0.5)
    assert readiness.deadline == math.inf


def test_a_long_loss_is_told_when_it_is_long_and_so_is_its_end() -> None:
    readiness = Readiness()
    readiness.update(is_ready=True, now=0.0)
    readiness.update(is_ready=False, now=1.0)
    assert readiness.update(is_ready=False, now=1.0 + LOST_SECONDS)
    assert not readiness.is_told
    assert readiness.deadline == math.inf
    assert not readiness.update(is_ready=False, now=100.0)
    assert readiness.update(is_ready=True, now=101.0)


def test_what_was_never_ready_is_never_lost() -> None:
    readiness = Readiness()
    assert not readiness.update(is_ready=False, now=0.0)
    assert not readiness.update(is_ready=False, now=100.0)
    assert not readiness.end()


def test_the_end_is_told_at_once() -> None:
    readiness = Readiness()
    readiness.update(is_ready=True, now=0.0)
    assert readiness.end()
    assert not readiness.is_told
