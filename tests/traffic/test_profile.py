"""Profiles: the values results are measured with, and the ones that make no sense."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.mixnet.traffic import (
    BARE,
    DEFAULT,
    FAST,
    PROFILES,
    SurbPolicy,
    TrafficProfile,
    WindowLimits,
)
from nymproxy.mixnet.traffic.profile import profile_of


def test_named_profiles_have_the_rust_values() -> None:
    delays = {
        name: (
            profile.packet_delay_seconds,
            profile.ack_delay_seconds,
            profile.sending_delay_seconds,
            profile.loop_cover_delay_seconds,
        )
        for name, profile in PROFILES.items()
    }
    assert delays == {
        "default": (0.015, 0.015, 0.020, 0.200),
        "fast": (0.010, 0.010, 0.004, 2000.0),
        "bare": (0.0, 0.0, None, None),
    }


def test_packet_rate_follows_from_the_sending_delay() -> None:
    assert DEFAULT.packet_rate == pytest.approx(50)
    assert FAST.packet_rate == pytest.approx(250)
    assert BARE.packet_rate is None


def test_profiles_can_be_derived() -> None:
    keepalive = replace(BARE, name="keepalive", loop_cover_delay_seconds=5.0)
    assert keepalive.loop_cover_delay_seconds == 5.0
    assert keepalive.packet_rate is None


@pytest.mark.parametrize(
    "values",
    [
        {"packet_delay_seconds": -0.1},
        {"ack_delay_seconds": float("nan")},
        {"sending_delay_seconds": 0.0},
        {"loop_cover_delay_seconds": -1.0},
        {"ack_wait_multiplier": 0.5},
        {"ack_wait_addition_seconds": 0.0},
        {"retransmission_backoff": 0.9},
        {"maximum_retransmissions": -1},
        {"copies": -1},
        {"copies": 3},
        {"lane_packets": 0},
        {"lane_packets": 10, "total_packets": 9},
        {"header_pool_size": -1},
        {"cover_primary_ratio": 1.5},
        {"primary_packet_size": PacketSize.ACK},
        {"secondary_packet_size": PacketSize.REGULAR},
    ],
    ids=lambda values: ",".join(values),
)
def test_senseless_profiles_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        TrafficProfile(name="x", **values)


@pytest.mark.parametrize(
    "values",
    [
        {"minimum_request": 0},
        {"minimum_request": 60},
        {"reserve": 0},
        {"maximum_held": 10},
        {"answer_batch": 0},
        {"answer_batch": 501},
    ],
    ids=lambda values: ",".join(values),
)
def test_senseless_surb_policies_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        SurbPolicy(**values)


@pytest.mark.parametrize(
    "values", [{"minimum": 0}, {"initial": 1}, {"maximum": 40}, {"decrease": 1.0}], ids=str
)
def test_senseless_windows_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        WindowLimits(**values)


def test_profiles_have_names() -> None:
    assert profile_of("bare") is BARE
    with pytest.raises(ConfigurationError, match="use default, fast, bare"):
        profile_of("silent")


def test_a_profile_is_its_own_name() -> None:
    assert profile_of(DEFAULT) is DEFAULT
