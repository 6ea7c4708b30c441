"""Which of several servers, given in the order of preference, is dialed next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.address import NymAddress

ANSWER_SECONDS = 10.0
"""A server that says nothing for so long is passed over by the connections after that."""
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 600.0


@dataclass(slots=True)
class _Health:
    failures: int = 0
    retry_at: float = -math.inf


class Servers:
    """The first that works is used. One that failed is tried again after a pause, which grows, by
    one connection at a time.

    Args:
        addresses: the servers; one or more, each once.

    Raises:
        ConfigurationError: none, or one twice.
    """

    def __init__(self, addresses: Sequence[NymAddress]) -> None:
        self._health = {address: _Health() for address in addresses}
        if not addresses or len(self._health) < len(addresses):
            raise ConfigurationError("name each server once, and at least one")

    @property
    def addresses(self) -> tuple[NymAddress, ...]:
        """All of them, in order."""
        return tuple(self._health)

    def is_doubtful(self, address: NymAddress) -> bool:
        """Tell whether a server has failed, and not answered since, where there is another one."""
        return len(self._health) > 1 and self._health[address].failures > 0

    def order(self, now: float) -> list[NymAddress]:
        """Return the servers in the order in which a new connection tries them.

        One that failed, and is first, is being tried with that: the next connections pass it over
        for another pause.
        """
        ready = [each for each, health in self._health.items() if health.retry_at <= now]
        resting = [each for each, health in self._health.items() if health.retry_at > now]
        resting.sort(key=lambda each: self._health[each].retry_at)
        order = [*ready, *resting]
        health = self._health[order[0]]
        if health.failures:
            health.retry_at = max(health.retry_at, now + FIRST_PAUSE_SECONDS)
        return order

    def failed(self, address: NymAddress, now: float) -> None:
        """Note that a connection was not answered, or was refused."""
        health = self._health[address]
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(health.failures, 10), LONGEST_PAUSE_SECONDS)
        health.failures += 1
        health.retry_at = now + pause

    def answered(self, address: NymAddress) -> None:
        """Note that a server is there."""
        self._health[address] = _Health()
