"""Moving: numbers of RESUMEs, who binds, who is asked, and how often."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from nymproxy.address import SenderTag
from nymproxy.stream.nx2.moving import (
    Alternates,
    Binding,
    Bound,
    MoveBudget,
    Mover,
    Place,
    unanswered_at,
)
from nymproxy.stream.nx2.roundtrip import RoundTrip
from tests.stream.nx2.builders import ADDRESS, TAG

OLD, NEW = SenderTag(TAG), SenderTag(bytes(16))
HOME, AWAY = Place(OLD, ADDRESS), Place(NEW, ADDRESS)


def test_a_move_is_repeated_until_it_is_acknowledged() -> None:
    mover = Mover(HOME, RoundTrip())
    assert mover.deadline == math.inf
    mover.go(AWAY, 1.0)
    assert (mover.move, mover.deadline) == (1, 1.0)
    mover.resumed(40, 1.0)
    mover.acknowledged(39)
    assert mover.deadline == 4.0
    mover.resumed(41, 4.0)
    mover.go(AWAY, 5.0)  # it is on its way there
    assert (mover.move, mover.deadline) == (1, 7.0)
    mover.acknowledged(40)
    assert not mover.is_moving


def test_another_place_takes_the_next_number() -> None:
    mover = Mover(HOME, RoundTrip())
    mover.go(AWAY, 1.0)
    mover.resumed(40, 1.0)
    mover.go(HOME, 2.0)
    assert (mover.move, mover.deadline) == (2, 2.0)
    mover.acknowledged(40)  # of the move before
    assert mover.is_moving


def test_the_acceptor_binds_to_the_newest_move() -> None:
    binding = Binding(OLD)
    assert binding.resume(1, NEW) is Bound.MOVED
    assert binding.tag == NEW
    assert binding.resume(1, NEW) is Bound.AGAIN
    assert binding.resume(1, OLD) is Bound.OLD
    assert binding.resume(3, OLD) is Bound.MOVED
    assert binding.resume(2, NEW) is Bound.OLD
    assert binding.tag == OLD


def test_each_address_is_asked_once_a_minute() -> None:
    other = replace(ADDRESS, encryption=b"e" * 32)
    each = Alternates([ADDRESS, other])
    assert each.take_askable(0.0) == [ADDRESS, other]
    assert each.take_askable(59.0) == []
    assert each.take_askable(60.0) == [ADDRESS, other]
    assert Alternates([ADDRESS]).take_askable(0.0) == []


def test_silence_is_measured_from_the_last_sign() -> None:
    trip = RoundTrip()
    assert unanswered_at(10.0, 4.0, trip) == 15.0
    assert unanswered_at(10.0, 12.0, trip) == 17.0
    trip.sample(3.0)
    assert unanswered_at(10.0, 12.0, trip) == 21.0


def test_few_gateways_and_few_moves() -> None:
    budget = MoveBudget(range(10), random.Random(1).randbytes)
    assert len(set(budget.drawn)) == 3
    assert [budget.may_move(100.0 * n) for n in range(6)] == [True] * 4 + [False] * 2
    assert budget.may_move(3601.0)
    assert not budget.may_move(3602.0)
    assert len(MoveBudget([1], random.Random(1).randbytes).drawn) == 1
