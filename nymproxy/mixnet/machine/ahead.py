"""What is prepared in idle time, as much of it as is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from nymproxy.mixnet.sphinx import HeaderPool

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

_COMMON_TARGET: Final = 32
_MOST_PURPOSES: Final = 64
_AT_ONCE: Final = 8
"""Two milliseconds' work, four if they are whole packets. The first of a row costs 1.4 times
what each after it does, since the code for it is not at hand any more."""


class PreparedAhead(Generic[T]):
    """A pool with a target for each purpose: as many as were ever taken, up to 32, and beyond that
    one more each time that it is found empty. Whoever sends little prepares little: many an
    identity carries one request, and its headers would cost more than all that it sends.

    Args:
        limit: of a target; 0: nothing is prepared.
    """

    __slots__ = ("_limit", "_pool", "_targets")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pool: HeaderPool[T] = HeaderPool()
        self._targets: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._pool)

    @property
    def is_wanted(self) -> bool:
        """True when :meth:`prepare` has something to do."""
        return self._pool.draining

    def take(self, purpose: Hashable, build: Callable[[], T]) -> T | None:
        """Take something prepared for a purpose, if there is any.

        Args:
            purpose: what it is for.
            build: prepares one.
        """
        prepared = self._pool.take(purpose)
        target = self._targets.get(purpose, 0)
        if self._limit and (prepared is None or target < _COMMON_TARGET):
            self._want(purpose, build, min(self._limit, target + 1))
        return prepared

    def prepare(self) -> None:
        """Prepare a few, if any are wanted."""
        for _ in range(_AT_ONCE):
            if not self._pool.fill_one():
                break

    def clear(self) -> None:
        """Drop what was prepared, and want as much again."""
        self._pool.clear()

    def _want(self, purpose: Hashable, build: Callable[[], T], target: int) -> None:
        if len(self._targets) >= _MOST_PURPOSES:
            self._targets.clear()  # forgetting how often each was used costs little
        self._targets[purpose] = target
        self._pool.register(purpose, build, target=target)
