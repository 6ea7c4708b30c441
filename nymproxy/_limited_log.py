"""Log lines that a stranger or a busy app can cause, so many in a while and no more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVAL_SECONDS = 10.0


class LimitedLog:
    """Writes one line of each kind in ``interval_seconds``, and how many it left out.

    Args:
        logger: where they go.
        interval_seconds: between two of a kind.
    """

    def __init__(
        self, logger: logging.Logger, *, interval_seconds: float = INTERVAL_SECONDS
    ) -> None:
        self._logger = logger
        self._interval_seconds = interval_seconds
        self._next_at: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warning(
        self,
        now: float,
        message: str,
        *arguments: object,
        exc_info: BaseException | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """Write a warning, or count it. ``message``, unformatted, is its kind: a constant."""
        self._write(logging.WARNING, now, message, arguments, exc_info, extra)

    def info(self, now: float, message: str, *arguments: object) -> None:
        """Write at INFO, or count it, as :meth:`warning`."""
        self._write(logging.INFO, now, message, arguments, None, None)

    def _write(
        self,
        level: int,
        now: float,
        message: str,
        arguments: tuple[object, ...],
        exc_info: BaseException | None,
        extra: Mapping[str, object] | None,
    ) -> None:
        if now < self._next_at.get(message, now):
            self._left_out[message] = self._left_out.get(message, 0) + 1
            return
        self._next_at[message] = now + self._interval_seconds
        left_out = self._left_out.pop(message, 0)
        if left_out:
            message, arguments = message + " (and %d more like this)", (*arguments, left_out)
        self._logger.log(level, message, *arguments, exc_info=exc_info, extra=extra)
