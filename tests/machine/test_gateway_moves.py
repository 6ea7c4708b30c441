"""Few gateways, and few moves."""

from __future__ import annotations

import random

from nymproxy.mixnet.machine.gateway_moves import GatewayMoves


def moves(count: int = 10) -> GatewayMoves[int]:
    return GatewayMoves(range(count), random.Random(1).randbytes)


def test_three_gateways_are_drawn_once() -> None:
    assert len(set(moves().drawn)) == 3
    assert moves().drawn == moves().drawn
    assert moves(1).drawn == (0,)
    assert moves(0).lost(7, 0.0) == []


def test_clients_go_to_those_that_were_not_left() -> None:
    plan = moves()
    first, second, third = plan.drawn
    assert plan.lost(100, 0.0) == [first, second, third]
    assert plan.lost(100, 1.0) == [first, second, third]  # another client of the same gateway
    assert plan.lost(first, 2.0) == [second, third]
    assert plan.lost(second, 3.0) == [third]
    assert plan.lost(third, 4.0) == []  # nowhere to go
    assert plan.lost(100, 3599.0) == []
    assert plan.lost(100, 3602.5) == [first]  # what was left an hour ago may be good again


def test_four_moves_an_hour() -> None:
    plan = moves()
    for number in range(4):
        assert plan.lost(100 + number, float(number)) == list(plan.drawn)
    assert plan.lost(104, 5.0) == []
    assert plan.lost(103, 5.0) == list(plan.drawn)
    assert plan.lost(104, 3600.5) == list(plan.drawn)
