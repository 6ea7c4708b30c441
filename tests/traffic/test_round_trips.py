"""Round trips are counted in the class that they belong to."""

from __future__ import annotations

from nymproxy.mixnet.traffic.round_trips import BOUNDS_SECONDS, RoundTrips


def test_a_bound_belongs_to_its_own_class() -> None:
    trips = RoundTrips()
    for seconds in (0.0, 0.05, 0.051, 3.0, 99.0):
        trips.measured(seconds)
    assert trips.by_bound() == {
        **{f"{bound:g}": 0 for bound in BOUNDS_SECONDS},
        "0.05": 2,
        "0.1": 1,
        "5": 1,
        "inf": 1,
    }
    assert round(trips.total_seconds, 3) == 102.101
