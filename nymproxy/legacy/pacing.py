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
    from nymproxy.address import NymAddress

FIRST_GAP_SECONDS = 1.0
"""After the first message: the server is connecting to its upstream meanwhile."""
SHORT_MESSAGE_SECONDS = 0.1
"""A message that takes less time to send is short: the jitter can bring the next one close."""
ACKNOWLEDGEMENT_SECONDS = 0.5
"""Without an acknowledgement for so long after the last packet left, a packet was lost, and its
message will be completed at any moment, perhaps together with another one."""

TURN_SECONDS = 0.1
"""Between messages of different sessions to one old server: all its sessions share the channel."""
MAX_TURN_SERVERS = 1024


class ServerTurns:
    """Spreads what the sessions of one process send to the same old server at the same time.

    Share one between the protocols of all clients of a process. The server that was used longest
    ago is forgotten when there are more than ``MAX_TURN_SERVERS``.
    """

    def __init__(self, turn_seconds: float = TURN_SECONDS) -> None:
        self.turn_seconds = turn_seconds
        self._free_at: dict[NymAddress, float] = {}

    def take(self, server: NymAddress, now: float) -> float:
        """Reserve the next turn at ``server``; return when it begins."""
        turn = max(now, self._free_at.pop(server, now))
        self._free_at[server] = turn + self.turn_seconds
        if len(self._free_at) > MAX_TURN_SERVERS:
            del self._free_at[next(iter(self._free_at))]
        return turn


@dataclass(slots=True)
class _Message:
    packet_count: int
    sent_at: float | None = None


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
        self._turns = turns if gap_seconds else None
        self._server = server
        self._turn_at: float | None = None
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
        missed = self._turn_at is not None and self._turn_at + self._turns.turn_seconds < now
        if self._turn_at is None or missed:
            self._turn_at = self._turns.take(self._server, now)
        return max(now, self._turn_at)

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

    def handed_over(self, index: int, packet_count: int, now: float) -> None:
        """See :class:`~nymproxy.channel.Pacing`."""
        self._last_index = index
        self._turn_at = None
        self._last = self._unacknowledged[index] = _Message(packet_count)

    def sent(self, index: int, now: float) -> None:
        """See :class:`~nymproxy.channel.Pacing`."""
        if (message := self._unacknowledged.get(index)) is not None:
            message.sent_at = now

    def acknowledged(self, index: int, now: float) -> None:
        """See :class:`~nymproxy.channel.Pacing`."""
        message = self._unacknowledged.pop(index, None)
        if message is not None and message.sent_at is None:
            message.sent_at = now

    def _gap_after_last(self, *, is_end: bool) -> float:
        if self._last_index == 0:
            return self._first_gap_seconds
        if is_end or self._last.packet_count < self._short_packets:
            return self._gap_seconds
        return 0.0
