"""The order in which servers are dialed."""

from __future__ import annotations

import pytest

from nymproxy.channel.servers import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Servers
from nymproxy.errors import ConfigurationError
from tests.legacy.addresses import some_address

A, B, C = (some_address(name) for name in "abc")


def test_each_server_is_named_once() -> None:
    for addresses in ([], [A, B, A]):
        with pytest.raises(ConfigurationError, match="once"):
            Servers(addresses)


def test_the_first_that_works_is_used() -> None:
    servers = Servers([A, B, C])
    assert servers.addresses == (A, B, C)
    assert servers.order(0.0) == [A, B, C]
    servers.failed(A, 0.0)
    assert servers.order(1.0) == [B, C, A]
    servers.failed(B, 1.0)
    assert servers.order(2.0) == [C, A, B]
    servers.failed(C, 2.0)
    assert servers.order(3.0) == [A, B, C]  # none works: the one whose turn comes first
    servers.answered(B)
    assert servers.order(4.0) == [B, C, A]


def test_one_connection_at_a_time_tries_a_server_that_failed() -> None:
    servers = Servers([A, B])
    servers.failed(A, 0.0)
    assert servers.order(FIRST_PAUSE_SECONDS - 1) == [B, A]
    assert servers.order(FIRST_PAUSE_SECONDS) == [A, B]
    assert servers.order(FIRST_PAUSE_SECONDS + 1) == [B, A]
    servers.answered(A)
    assert servers.order(FIRST_PAUSE_SECONDS + 2) == [A, B]


def test_the_pause_grows_to_a_bound() -> None:
    servers = Servers([A, B])
    now = 0.0
    for expected in (30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0):
        assert expected <= LONGEST_PAUSE_SECONDS
        servers.failed(A, now)
        assert servers.order(now + expected - 0.1) == [B, A]
        now += expected
        assert servers.order(now) == [A, B]


def test_a_server_without_another_one_is_never_doubted() -> None:
    alone, both = Servers([A]), Servers([A, B])
    for servers in (alone, both):
        servers.failed(A, 0.0)
    assert not alone.is_doubtful(A)
    assert both.is_doubtful(A)
    assert not both.is_doubtful(B)
