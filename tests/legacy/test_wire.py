"""The settings of both protocols, with limits that hold for either."""

from __future__ import annotations

from nymproxy.legacy.wire import WireSettings


def test_each_limit_that_is_given_holds_for_both_protocols() -> None:
    before = WireSettings()
    after = before.with_timeouts(close=11.0, connect=22.0, idle=33.0)
    quiet = after.stream.rules.quiet
    assert (quiet.answer_timeout_seconds, quiet.close_timeout_seconds) == (11.0, 11.0)
    assert after.legacy.close_timeout_seconds == 11.0
    assert quiet.connect_timeout_seconds == after.legacy.connect_timeout_seconds == 22.0
    assert quiet.idle_timeout_seconds == after.legacy.session_idle_timeout_seconds == 33.0
    assert quiet.idle_ends_alive
    assert after.legacy.half_closed_timeout_seconds == 33.0
    assert after.memory is before.memory
    assert before.with_timeouts() == before


def test_a_longer_idle_limit_leaves_that_of_half_closed_sessions_as_it_was() -> None:
    before = WireSettings().legacy.half_closed_timeout_seconds
    after = WireSettings().with_timeouts(idle=before + 1)
    assert after.legacy.half_closed_timeout_seconds == before
