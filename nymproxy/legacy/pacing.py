"""When the next message of a session may go to an old server, which keeps only the newest one.

The sessions of an old server (nym-sdk 1.21.6 src/tcp_proxy/tcp_proxy_server.rs) share one watch
channel: of two messages that are completed before a session's handler has looked, the first is
lost. A client can only make it likely that the handler is idle. Measured against a real server:
one-packet messages without a gap lose up to one in three, with 50 ms between them none; messages
that take longer to send than the network's jitter need no gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress
    from nymproxy.legacy.turns import ServerTurns

FIRST_GAP_SECONDS = 1.0
"""After the first message: the server is connecting to its upstream meanwhile."""
SHORT_MESSAGE_SECONDS = 0.1
"""A message that takes less time to send is short: the jitter can bring the next one close."""
ACKNOWLEDGEMENT_SECONDS = 0.5
"""Without an acknowledgement for so long after the last packet left, a packet was lost, and its
message will be completed at any moment, perhaps together with another one."""


@dataclass(slots=True)
class _Message:
    packet_count: int
    sent_at: float | None = None


def _nobody_asks() -> None:
    """Stand in for the channel until there is one."""


class LegacyPacing:
    """The :class:`~nymproxy.channel.Pacing` of one session towards an old server.

    Args:
        gap_seconds: pause after a short message and before the Close; 0 for none.
        packet_rate: packets a second of the sending schedule, which says what is short; ``None``
            when there is none, and then every message is.
        first_gap_seconds: pause after the first message.
        turns: shared with the other sessions of the process; ``None``: this one is alone.
        server: whose turns are taken.
    """

    def __init__(
        self,
        *,
        gap_seconds: float,
        packet_rate: float | None,
        first_gap_seconds: float = FIRST_GAP_SECONDS,
        turns: ServerTurns | None = None,
        server: NymAddress | None = None,
    ) -> None:
        self.wake: Callable[[], None] = _nobody_asks
        self._turns = turns if gap_seconds else None
        self._server = server
        self._gap_seconds = gap_seconds
        self._first_gap_seconds = first_gap_seconds
        self._short_packets = (
            math.inf if packet_rate is None else packet_rate * SHORT_MESSAGE_SECONDS
        )
        self._last_index: int | None = None
        self._last = _Message(0)
        self._unacknowledged: dict[int, _Message] = {}

    def ready_at(self, now: float, *, is_end: bool) -> float:
        """See :class:`~nymproxy.channel.Pacing`."""
        ready = self._own_ready_at(now, is_end=is_end)
        return ready if ready > now else self._turn(now)

    def _turn(self, now: float) -> float:
        if self._turns is None or self._server is None:
            return now
        return self._turns.ready_at(self._server, self, now)

    def _own_ready_at(self, now: float, *, is_end: bool) -> float:
        if self._last_index is None:
            return now
        if self._last.sent_at is None:
            return math.inf
        ready = max(now, self._last.sent_at + self._gap_after_last(is_end=is_end))
        for message in self._unacknowledged.values():
            if message.sent_at is None or message.sent_at + ACKNOWLEDGEMENT_SECONDS < ready:
                return math.inf
        return ready

    def begun(self, index: int, now: float) -> None:
        """See :class:`~nymproxy.channel.Pacing`."""
        self._last_index = index
        self._last = _Message(0)
        if self._turns is not None and self._server is not None:
            self._turns.begun(self._server, self, now)

    def handed_over(self, index: int, packet_count: int, now: float) -> None:
        """See :class:`~nymproxy.channel.Pacing`."""
        self._last.packet_count = packet_count
        self._unacknowledged[index] = self._last

    def sent(self, index: int, now: float) -> None:
        """See :class:`~nymproxy.channel.Pacing`."""
        if (message := self._unacknowledged.get(index)) is not None:
            message.sent_at = now
            self._turn_is_over(now)

    def acknowledged(self, index: int, now: float) -> None:
        """See :class:`~nymproxy.channel.Pacing`."""
        message = self._unacknowledged.pop(index, None)
        if message is not None and message.sent_at is None:
            message.sent_at = now
            self._turn_is_over(now)

    def _turn_is_over(self, now: float) -> None:
        if self._turns is not None and self._server is not None:
            self._turns.sent(self._server, self, now)

    def _gap_after_last(self, *, is_end: bool) -> float:
        if self._last_index == 0:
            return self._first_gap_seconds
        if is_end or self._last.packet_count < self._short_packets:
            return self._gap_seconds
        return 0.0
