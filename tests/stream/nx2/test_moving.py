"""Moving: numbers of RESUMEs, who binds, who is asked, and how often."""

from __future__ import annotations

import math
from dataclasses import replace

from nymproxy.address import SenderTag
from nymproxy.channel.fate import ACKNOWLEDGED, Fate
from nymproxy.errors import DeliveryAbandoned
from nymproxy.stream.nx2.moving import (
    Alternates,
    Binding,
    Bound,
    Mover,
    Place,
    Silence,
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


def test_a_move_to_a_busy_peer_is_repeated_as_soon() -> None:
    """Everything else waits for it; a lost one held the stream up for half a minute."""
    round_trip = RoundTrip()
    round_trip.sample(2.0)
    for _ in range(50):
        round_trip.peer.sample(20.0)
    assert round_trip.question_seconds == 30.0
    mover = Mover(HOME, round_trip)
    mover.go(AWAY, 1.0)
    mover.resumed(40, 1.0)
    assert mover.deadline == 5.0


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


def test_silence_counts_from_what_was_acknowledged_last() -> None:
    trip = RoundTrip()
    silence = Silence(trip)
    first, second = object(), object()

    sent = Fate(is_sent=True)
    assert silence.deadline == math.inf
    silence.changed(first, Fate(), 1.0)  # it waits for its turn
    assert silence.deadline == math.inf
    silence.changed(first, sent, 2.0)
    silence.changed(second, sent, 4.0)
    silence.changed(second, sent, 5.0)
    assert silence.deadline == 7.0
    silence.changed(first, ACKNOWLEDGED, 6.0)
    assert silence.deadline == 11.0
    trip.sample(3.0)
    assert silence.deadline == 15.0
    silence.broken(15.0)
    assert silence.deadline == 24.0
    silence.changed(second, Fate(error=DeliveryAbandoned("given up")), 16.0)
    assert silence.deadline == math.inf


def test_a_move_that_nobody_acknowledges_is_given_up() -> None:
    mover = Mover(HOME, RoundTrip())
    mover.unheard(0.0)
    assert mover.lost_at == math.inf
    mover.go(AWAY, 1.0)
    assert (mover.surbs, mover.lost_at) == (20, 101.0)
    mover.resumed(40, 1.0)
    assert mover.surbs == 3
    mover.unheard(50.0)
    assert mover.lost_at == 150.0
    mover.acknowledged(40)
    assert mover.lost_at == math.inf
