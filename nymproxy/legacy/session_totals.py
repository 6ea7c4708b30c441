"""What the sessions of a proxy have done together, and what that proxy is at one moment. No I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Self

    from nymproxy.forward.forwarder import ForwardResult
    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.legacy.session import SessionSnapshot
    from nymproxy.mixnet.machine import ClientCounters, ClientGauges, ClientStatus


@dataclass(slots=True)
class SessionTotals:
    """Counts since the proxy began.

    Attributes:
        began: sessions that were begun.
        ended: those that are over, by reason: a value of
            :class:`~nymproxy.forward.forwarder.ForwardEnd`, ``refused`` (no upstream, or not
            allowed) or ``failed`` (before a byte could go).
        bytes_to_peer: of those that are over, read from the TCP side.
        bytes_from_peer: of those that are over, written to the TCP side.
    """

    began: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    bytes_to_peer: int = 0
    bytes_from_peer: int = 0

    def add(self, result: ForwardResult) -> None:
        """Count a session that was carried to its end."""
        self.ended[result.end.value] += 1
        self.bytes_to_peer += result.bytes_to_channel
        self.bytes_from_peer += result.bytes_to_socket


@dataclass(frozen=True, slots=True)
class ProxyStatistics:
    """A proxy client or server at one moment.

    Attributes:
        status: how far it is from carrying traffic.
        sessions: that are running.
        sessions_begun: so far.
        sessions_ended: that are over, by reason (:class:`SessionTotals`).
        bytes_to_peer: of all sessions, running ones too: read from the TCP side.
        bytes_from_peer: of all sessions, running ones too: written to the TCP side.
        mixnet_clients: connected, or being connected; all of its identity group.
        mixnet_clients_ready: those that can carry traffic.
        gateways_lost: how many times one of them was ready, and then was not.
        counters: what they all have done, those that ended included.
        gauges: what they all hold now.
    """

    status: ClientStatus
    sessions: int
    sessions_begun: int
    sessions_ended: dict[str, int]
    bytes_to_peer: int
    bytes_from_peer: int
    mixnet_clients: int
    mixnet_clients_ready: int
    gateways_lost: int
    counters: ClientCounters
    gauges: ClientGauges

    @classmethod
    def of(
        cls,
        status: ClientStatus,
        totals: SessionTotals,
        running: Collection[SessionSnapshot],
        roster: ClientRoster,
    ) -> Self:
        """Put together what is known of a proxy; what is ending was counted with the others."""
        open_ones = [each for each in running if not each.is_ending]
        return cls(
            status=status,
            sessions=len(running),
            sessions_begun=totals.began,
            sessions_ended=dict(totals.ended),
            bytes_to_peer=totals.bytes_to_peer + sum(each.bytes_to_peer for each in open_ones),
            bytes_from_peer=totals.bytes_from_peer
            + sum(each.bytes_from_peer for each in open_ones),
            mixnet_clients=roster.client_count,
            mixnet_clients_ready=roster.ready_count,
            gateways_lost=roster.gateways_lost,
            counters=roster.counters,
            gauges=roster.gauges,
        )
