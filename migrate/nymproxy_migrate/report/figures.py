"""Figures for people: grouped thousands, as many digits as mean something."""

from __future__ import annotations

import math

NO_VALUE = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_DIGITS = 4


def figure(value: float | bool | str | None) -> str:
    """Return a value as a report shows it: ``yes``, ``12,345``, ``0.03217``, or the text itself."""
    if value is None or value == "":
        return NO_VALUE
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else (_MINUS if value < 0 else "") + "infinite"
    return _decimal(value)


def _decimal(value: float) -> str:
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if not -_DIGITS <= magnitude < 15:
        return f"{value:.{_DIGITS - 1}e}".replace("-", _MINUS)
    decimals = max(0, _DIGITS - 1 - magnitude)
    text = f"{value:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", _MINUS)
