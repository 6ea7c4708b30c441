"""What to tell of the groups that errors of several tasks come in."""

from __future__ import annotations

from nymproxy.errors import NymError


def first_cause(error: BaseException) -> BaseException:
    """Look into exception groups: the first error that was raised on purpose, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [first_cause(inner) for inner in error.exceptions]
    for leaf in leaves:
        if isinstance(leaf, NymError):
            return leaf
    return leaves[0]
