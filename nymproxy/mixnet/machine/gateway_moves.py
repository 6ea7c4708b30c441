"""Where clients go that have lost their gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.mixnet.randomness import uniform_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.mixnet.randomness import RandomBytes

T = TypeVar("T")

MOVES_PER_HOUR = 4
GATEWAYS_DRAWN = 3
_HOUR_SECONDS = 3600.0


class GatewayMoves(Generic[T]):
    """Decides for all clients of a process, so that who drops their packets cannot choose where
    they go: to one of few gateways, drawn before anything was lost, and not often.

    Args:
        gateways: all that may be used; a few of them are drawn.
        random_bytes: for the draw.
    """

    def __init__(self, gateways: Sequence[T], random_bytes: RandomBytes) -> None:
        rest = list(gateways)
        self._drawn: list[T] = []
        while rest and len(self._drawn) < GATEWAYS_DRAWN:
            self._drawn.append(rest.pop(uniform_index(random_bytes, len(rest))))
        self._lost_at: dict[T, float] = {}

    @property
    def drawn(self) -> tuple[T, ...]:
        """The gateways that were drawn."""
        return tuple(self._drawn)

    def lost(self, gateway: T, now: float) -> list[T]:
        """Note that a client has lost a gateway; returns where it may go, the best first.

        However many clients leave one gateway, that is one move. Nobody goes to one that was left
        within the hour.
        """
        for left, since in list(self._lost_at.items()):
            if since <= now - _HOUR_SECONDS:
                del self._lost_at[left]
        if gateway not in self._lost_at:
            if len(self._lost_at) >= MOVES_PER_HOUR:
                return []
            self._lost_at[gateway] = now
        return [each for each in self._drawn if each not in self._lost_at]
