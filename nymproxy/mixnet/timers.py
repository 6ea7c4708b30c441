"""The timer task: retransmissions when they are due, and the periodic part of the reply control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from nymproxy.mixnet.traffic import ReplyController

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.mixnet.traffic import Outbox

_LATE_SECONDS: Final = 0.1
_MAXIMUM_STALL_SECONDS: Final = 10.0


class Timers:
    """Sleeps until the earliest ack timer or the next tick, or until an earlier timer starts.

    When it wakes late, the process was not scheduled, and neither were acks read: the timers that
    fired meanwhile get some more time. The same holds while the application does not take its
    messages, but not for ever: an application that waits for its sends in between needs them to
    go on.

    Args:
        outbox: whose timers.
        clock: monotonic seconds.
        receiver_stall: for how long up to a time the receiver could not read.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        clock: Callable[[], float],
        receiver_stall: Callable[[float], float],
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._receiver_stall = receiver_stall
        self._earlier = anyio.Event()

    def wake(self) -> None:
        """Tell that a timer was started that fires before all others."""
        self._earlier.set()

    async def run(self) -> None:
        """Run until cancelled."""
        outbox = self._outbox
        next_tick = self._clock() + ReplyController.TICK_SECONDS
        while True:
            timer = outbox.next_timer()
            late = await self._sleep_until(next_tick if timer is None else min(timer, next_tick))
            now = self._clock()
            stall = self._receiver_stall(now)
            if stall > _MAXIMUM_STALL_SECONDS:
                stall = 0.0
            if late > _LATE_SECONDS:
                stall = max(stall, late)
            outbox.expire(now, stall)
            if now >= next_tick:
                outbox.tick(now)
                next_tick = now + ReplyController.TICK_SECONDS

    async def _sleep_until(self, deadline: float) -> float:
        """Sleep; return how many seconds too late it woke."""
        self._earlier = anyio.Event()
        self._outbox.alarm = deadline
        with anyio.move_on_after(max(0.0, deadline - self._clock())):
            await self._earlier.wait()
        self._outbox.alarm = float("-inf")
        return max(0.0, self._clock() - deadline)
