"""Serial arithmetic: sequence numbers that wrap, compared within half of their range."""

from __future__ import annotations


def serial_distance(start: int, end: int, modulus: int) -> int:
    """Return how far ``end`` is ahead of ``start``: from -modulus/2 to modulus/2 - 1.

    A negative result means that ``end`` lies before ``start``. Exactly half of the range counts
    as before, so that nothing is ever accepted that far ahead.
    """
    ahead = (end - start) % modulus
    return ahead if ahead < modulus // 2 else ahead - modulus
