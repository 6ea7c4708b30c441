"""What is prepared in idle time, as much of it as is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from nymproxy.mixnet.sphinx import HeaderPool

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

_FIRST_TARGET: Final = 32
_MOST_PURPOSES: Final = 64
_AT_ONCE: Final = 8


class PreparedAhead(Generic[T]):
    """A pool with a target for each purpose, which doubles whenever it is found empty: whoever
    sends little prepares little.

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
        """Take something prepared for a purpose; without any, more is wanted from now on.

        Args:
            purpose: what it is for.
            build: prepares one.
        """
        prepared = self._pool.take(purpose)
        if prepared is None and self._limit:
            self._want_more(purpose, build)
        return prepared

    def prepare(self) -> None:
        """Prepare some, about two milliseconds' work, if any are wanted."""
        for _ in range(_AT_ONCE):
            if not self._pool.fill_one():
                break

    def clear(self) -> None:
        """Drop what was prepared, and want as much again."""
        self._pool.clear()

    def _want_more(self, purpose: Hashable, build: Callable[[], T]) -> None:
        target = min(self._limit, 2 * self._targets.get(purpose, _FIRST_TARGET // 2))
        if len(self._targets) >= _MOST_PURPOSES:
            self._targets.clear()  # forgetting how often each was used costs little
        if self._targets.get(purpose) != target:
            self._targets[purpose] = target
            self._pool.register(purpose, build, target=target)
