"""What a plan does to whatever passes one point of a network. Sans-IO."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nymproxy.localnet.faults import FaultPlan

Passing = list[tuple[float, bytes]]
"""What passes: how many seconds later, and what. Empty: it is lost."""


class Rule(Protocol):
    """One entry of a plan at one point, with dice of its own and what it remembers."""

    def is_active(self, elapsed: float) -> bool:
        """Tell whether its time is now, in seconds since the plan was installed."""
        ...

    def apply(self, item: bytes, count: Callable[[str], None]) -> Passing:
        """Decide about one item; ``count`` is told each fault."""
        ...


R = TypeVar("R", bound=Rule)


class Gate(Generic[R]):
    """All rules of one point.

    Args:
        count: called with the kind of each fault that was injected.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._rules: list[R] = []
        self._installed_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nothing is planned for this point: nothing need be shown to the gate."""
        return not self._rules

    def install(self, plan: FaultPlan, now: float) -> None:
        """Take over a plan, whose times count from ``now`` (monotonic seconds)."""
        self._installed_at = now
        self._rules = list(self._rules_of(plan))

    @abstractmethod
    def _rules_of(self, plan: FaultPlan) -> Iterable[R]:
        """Return what of a plan concerns this point. The seeds of its dice name the point, so what
        happens at one does not depend on the others."""

    def _pass(self, item: bytes, now: float, rules: Iterable[R]) -> Passing:
        passing = [(0.0, item)]
        elapsed = now - self._installed_at
        for rule in rules:
            if rule.is_active(elapsed):
                passing = [
                    (delay + extra, changed)
                    for delay, each in passing
                    for extra, changed in rule.apply(each, self._count)
                ]
        return passing
