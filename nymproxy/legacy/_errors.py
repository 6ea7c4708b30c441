"""Errors that come out of task groups."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_group() -> Iterator[None]:
    """Raise the only error of a task group by itself, so that callers can name what they catch."""
    try:
        yield
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, ExceptionGroup):
            raise
        raise error from error.__cause__
