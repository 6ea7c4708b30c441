"""Bandwidth bookkeeping, back-off and the meaning of refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import (
    ClientNotRegistered,
    ClockSkew,
    DuplicateConnection,
    GatewayRefused,
    RetryAdvice,
)
from nymproxy.mixnet.gateway.allowance import LOW_BANDWIDTH_BYTES, Allowance
from nymproxy.mixnet.gateway.refusals import RefusalKind, explain_refusal

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2


def test_allowance_starts_empty() -> None:
    allowance = Allowance()
    assert allowance.should_claim(0.0, NOON)
    assert not allowance.may_send(NOON)


def test_claim_and_use() -> None:
    allowance = Allowance()
    allowance.start_claim(1.0)
    assert not allowance.should_claim(2.0, NOON)  # one at a time
    allowance.finish_claim(10**9, 2.0, NOON)
    assert allowance.may_send(NOON)
    assert not allowance.should_claim(3.0, NOON)
    allowance.report(LOW_BANDWIDTH_BYTES)
    assert not allowance.should_claim(3.0, NOON)
    allowance.report(LOW_BANDWIDTH_BYTES - 1)
    assert allowance.should_claim(3.0, NOON)
    assert allowance.may_send(NOON)
    allowance.report(0)
    assert not allowance.may_send(NOON)


@given(st.integers(0, DAY - 1), st.integers(0, 3 * DAY))
def test_allowance_ends_at_utc_midnight(second_of_day: int, later: int) -> None:
    allowance = Allowance()
    start = 20_000 * DAY + second_of_day
    allowance.report_fresh(10**12, start)
    same_day = second_of_day + later < DAY
    assert allowance.may_send(start + later) is same_day
    assert allowance.should_claim(0.0, start + later) is not same_day
    allowance.report(10**12)  # an answer to an older packet proves nothing
    assert allowance.may_send(start + later) is same_day


def test_a_clock_set_back_does_not_expire_the_allowance() -> None:
    allowance = Allowance()
    allowance.report_fresh(10**12, NOON)
    assert allowance.may_send(NOON - DAY)


def test_stingy_gateway_is_not_asked_all_the_time() -> None:
    allowance = Allowance()
    allowance.start_claim(0.0)
    allowance.finish_claim(1000, 1.0, NOON)
    assert allowance.may_send(NOON)
    assert not allowance.should_claim(1.1, NOON)
    assert allowance.next_claim_at is not None
    assert allowance.should_claim(allowance.next_claim_at, NOON)


@pytest.mark.parametrize(
    ("text", "kind", "error", "advice"),
    [
        (
            "failed to authenticate the client: the client is not registered",
            RefusalKind.NOT_REGISTERED,
            ClientNotRegistered,
            "register again",
        ),
        (
            "failed to verify provided address ciphertext",
            RefusalKind.NOT_REGISTERED,
            ClientNotRegistered,
            "register again",
        ),
        (
            "There is already an open connection to this client",
            RefusalKind.DUPLICATE,
            DuplicateConnection,
            "stop the other process",
        ),
        (
            "attempted to overwrite client session with a stale authentication",
            RefusalKind.REUSED_SECOND,
            DuplicateConnection,
            "try again in a second",
        ),
        (
            "the provided request timestamp is smaller or equal to one previously used",
            RefusalKind.REUSED_SECOND,
            GatewayRefused,
            "try again in a second",
        ),
        (
            "the provided request timestamp is excessively skewed. got 1 whilst the server time is",
            RefusalKind.CLOCK_SKEW,
            ClockSkew,
            "set the clock",
        ),
        (
            "Attempted to negotiate connection with client using incompatible protocol version. "
            "Ours is 6 and the client reports 9",
            RefusalKind.VERSION,
            GatewayRefused,
            "another gateway",
        ),
        (
            "This gateway is only accepting coconut credentials for bandwidth",
            RefusalKind.PAYMENT_REQUIRED,
            GatewayRefused,
            "another gateway",
        ),
        ("anything else", RefusalKind.OTHER, GatewayRefused, "anything else"),
    ],
)
def test_refusals(text: str, kind: RefusalKind, error: type[GatewayRefused], advice: str) -> None:
    found, raised = explain_refusal(text)
    assert found is kind
    assert type(raised) is error
    assert advice in str(raised)
    assert text in str(raised)
    assert isinstance(raised.retry, RetryAdvice)


@given(st.text())
def test_refusals_never_crash(text: str) -> None:
    _, error = explain_refusal(text)
    assert "\n" not in str(error)
    assert len(str(error)) < 800


def test_a_report_of_enough_ends_the_wait_for_the_next_claim() -> None:
    """Otherwise its time would pass without a claim, and stay the deadline for ever."""
    allowance = Allowance()
    allowance.start_claim(0.0)
    allowance.finish_claim(1000, 1.0, NOON)
    allowance.report(2000)
    assert allowance.next_claim_at is not None
    allowance.report(10**9)
    assert allowance.next_claim_at is None
