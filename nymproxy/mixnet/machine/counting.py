"""What can be seen of a machine from outside: its counters, and what it holds now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.mixnet.machine.status import ClientCounters, ClientGauges

if TYPE_CHECKING:
    from nymproxy.mixnet.machine.status import Tally
    from nymproxy.mixnet.messages import InboundDecoder
    from nymproxy.mixnet.traffic import Outbox


def counters_of(tally: Tally, outbox: Outbox, decoder: InboundDecoder) -> ClientCounters:
    """Return what a machine has done so far."""
    return ClientCounters(
        sent=dict(tally.sent),
        retransmissions=outbox.retransmissions,
        acknowledged=tally.acknowledged,
        unknown_acks=outbox.unknown_acks,
        covers_received=tally.covers_received,
        messages_received=tally.messages_received,
        bytes_received=tally.bytes_received,
        late_duplicates=decoder.reassembler.counts.late_duplicates,
        malformed={reason.value: n for reason, n in decoder.malformed.items()},
        given_up=dict(outbox.given_up),
        unbuilt=dict(tally.unbuilt),
        round_trips=outbox.round_trips.by_bound(),
        round_trip_seconds=outbox.round_trips.total_seconds,
    )


def gauges_of(outbox: Outbox) -> ClientGauges:
    """Return what a machine holds now."""
    return ClientGauges(
        packets_waiting=outbox.waiting_count,
        packets_unacknowledged=outbox.unacknowledged_count,
        surbs_in_hand=outbox.replies.in_hand,
        window_packets=outbox.window_packets,
    )
