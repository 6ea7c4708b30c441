"""How long a stranger may be silent before it is taken for a peer without NX2."""

from __future__ import annotations

from nymproxy.stream.nx2.link import OPENING_SECONDS

VERDICT_SECONDS = 20.0


class Patience:
    """Counts the time in which a peer could have answered, looked at every few seconds.

    While its gateway has not got everything the network is slow, and no peer's silence says what it
    is. All times without our own gateway are left out.
    """

    def __init__(self) -> None:
        self._waited_seconds = 0.0
        self._silent_seconds = 0.0

    def waited(self, seconds: float, *, is_on_its_way: bool) -> None:
        """Note that the stream was begun so long ago, and whether something of ours is on its way
        now."""
        if not is_on_its_way:
            self._silent_seconds += seconds - self._waited_seconds
        self._waited_seconds = seconds

    def has_ended(self, *, is_on_its_way: bool) -> bool:
        """Tell whether the silence counts; what is on its way puts that off, not for ever."""
        if self._waited_seconds >= OPENING_SECONDS:
            return True
        return self._silent_seconds >= VERDICT_SECONDS and not is_on_its_way
