"""Which error of a group is told."""

from __future__ import annotations

from nymproxy._error_groups import first_cause
from nymproxy.errors import GatewayUnreachable

ALONE = OSError("alone")
ON_PURPOSE = GatewayUnreachable("no gateway")


def test_an_error_by_itself_is_told() -> None:
    assert first_cause(ALONE) is ALONE


def test_the_first_that_was_raised_on_purpose_is_told_however_deep() -> None:
    inner = ExceptionGroup("inner", [ValueError(), ON_PURPOSE])
    assert first_cause(ExceptionGroup("outer", [ALONE, inner, GatewayUnreachable()])) is ON_PURPOSE


def test_else_the_first_is_told() -> None:
    assert first_cause(ExceptionGroup("outer", [ExceptionGroup("inner", [ALONE])])) is ALONE
