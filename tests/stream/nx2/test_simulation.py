"""Sealed streams under everything that gateways and machines do: complete, or an error."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nymproxy.errors import StreamPeerLost
from nymproxy.stream.nx2.kept import Kept
from nymproxy.stream.nx2.sealer import Sealer
from tests.stream.nx2.simulation import (
    Plan,
    Simulation,
    SimulationFailure,
    random_plan,
    simulate,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

LOSSY = Plan(
    longest_delay=1.5,
    packet_loss=0.05,
    given_up=0.02,
    swallowed=0.05,
    copied=0.1,
    replayed=0.1,
)


def errors(run: Simulation) -> list[Exception]:
    return [error for host in run.hosts for error in host.ended.values() if error is not None]


def is_noticed(plans: Iterable[Plan]) -> bool:
    """Tell whether one of the plans breaks a promise."""
    for seed, plan in enumerate(plans):
        try:
            simulate(seed, plan)
        except SimulationFailure as failure:
            return str(failure).startswith(f"seed {seed}:")
    return False


@pytest.mark.parametrize("tens", range(0, 300, 10))
def test_complete_or_an_error(tens: int) -> None:
    for seed in range(tens, tens + 10):
        simulate(seed)


def test_a_move_shows_that_the_dialer_of_an_unconfirmed_opening_is_there() -> None:
    """Both sides took the stream for alive, and nobody had accepted it."""
    assert errors(simulate(3412)) == []


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("thousand", range(1, 11))
def test_complete_or_an_error_ten_thousand_times(thousand: int) -> None:
    for seed in range(1000 * thousand, 1000 * (thousand + 1)):
        simulate(seed)


@pytest.mark.parametrize("is_known", [True, False])
def test_what_is_lost_behind_the_acknowledgement_is_sent_again(is_known: bool) -> None:
    for seed in range(15):
        assert errors(simulate(seed, replace(LOSSY, is_known=is_known))) == [], f"seed {seed}"


def test_a_known_peer_is_complete_though_everything_is_altered_and_replayed() -> None:
    for seed in range(10):
        plan = replace(LOSSY, altered=0.1, replayed=0.5)
        assert errors(simulate(seed, plan)) == [], f"seed {seed}"


@pytest.mark.parametrize("seed", [10868, 30372])
def test_two_strangers_that_are_kept_at_nx1_read_what_is_altered_as_there(seed: int) -> None:
    """As docs/wire.md says of a downgrade: only a stream that is plain at both ends may."""
    altered = [app for host in simulate(seed).hosts for app in host.apps.values()]
    assert any(app.was_altered_at is not None for app in altered)


@pytest.mark.parametrize(
    "seeds", [range(3), pytest.param(range(3, 100), marks=pytest.mark.exhaustive)]
)
def test_three_megabytes_each_way_though_gateways_swallow_3_percent(seeds: range) -> None:
    """Of the packets: half of the messages of 32 KiB do not come through."""
    plan = replace(
        LOSSY, longest_delay=0.5, swallowed=0.0, swallowed_packets=0.03, altered=0.01,
        up=3_000_000, down=3_000_000, write_size=100_000,
    )  # fmt: skip
    for seed in seeds:
        run = simulate(seed, plan)
        assert errors(run) == [], f"seed {seed}"
        assert max(max(host.ended_at.values()) for host in run.hosts) < 100, f"seed {seed}"


def test_a_restarted_server_is_noticed_within_30_seconds() -> None:
    for seed in range(10):
        plan = Plan(up=0, down=400_000, write_size=2_000, server_restarts_at=5.0)
        run = Simulation(seed, replace(plan, ends_at=36.0))
        run.run()
        (error,) = run.client.ended.values()
        assert isinstance(error, StreamPeerLost), f"seed {seed}"


def test_a_client_that_is_gone_is_noticed_within_100_seconds() -> None:
    for seed in range(10):
        plan = Plan(up=400_000, down=0, write_size=2_000, client_restarts_at=5.0, ends_at=106.0)
        run = Simulation(seed, plan)
        run.run()
        (error,) = run.server.ended.values()
        assert isinstance(error, StreamPeerLost), f"seed {seed}"


def test_a_stream_goes_on_elsewhere_though_the_first_gateway_takes_what_is_sent() -> None:
    for seed in range(5):
        lost = (5.0, math.inf)
        plan = Plan(server_gateways=2, first_gateway_lost=lost, lost_gateway_acks=True)
        plan = replace(plan, up=400_000, down=400_000, write_size=2_000)
        assert errors(simulate(seed, plan)) == [], f"seed {seed}"


@pytest.mark.parametrize("stopped", ["client", "server"])
def test_a_peer_that_is_stopped_for_a_minute_is_not_dead(stopped: str) -> None:
    for seed in range(5):
        plan = Plan(stops=((stopped, 1.0, 61.0),))
        assert errors(simulate(seed, plan)) == [], f"seed {seed}"


def test_a_run_is_a_function_of_its_seed() -> None:
    first, second = simulate(3), simulate(3)
    assert (first.messages, first.packets) == (second.messages, second.packets)
    assert random_plan(1) != random_plan(2)


def test_it_notices_what_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kept, "take_due", lambda self, now: None)
    assert any(errors(simulate(seed, LOSSY)) for seed in range(5))


def test_it_notices_a_replayed_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "nymproxy.stream.nx2.accepting.AcceptorLink.is_acceptable", property(lambda self: True)
    )
    assert is_noticed(
        replace(random_plan(seed), server_restarts_at=20.0, replayed=0.5) for seed in range(200)
    )


def test_it_notices_unsealed_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MACs the alterations come through."""
    monkeypatch.setattr("nymproxy.stream.nx2.envelopes.has_valid_mac", lambda *_: True)
    monkeypatch.setattr("nymproxy.stream.nx2.keys.has_valid_mac", lambda *_: True)
    monkeypatch.setattr(Sealer, "_check_counter", lambda *_: None)
    assert is_noticed(replace(LOSSY, altered=0.2) for _ in range(50))
