"""What a client is doing, for people and supervisors; and what it has counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """How far the client is from carrying traffic.

    Attributes:
        fraction: 0 to 1; 1 when ready.
        is_ready: messages can be sent and received now.
        is_closed: the end; no change follows.
        reason: what it is doing or waiting for, one line for people.
        blocked_by: the code of the error that keeps it from going on, if one does.
    """

    fraction: float
    is_ready: bool
    is_closed: bool
    reason: str
    blocked_by: str | None = None


READY = ClientStatus(1.0, True, False, "ready")


@dataclass(frozen=True, slots=True)
class ClientCounters:
    """A snapshot of what a client has done so far.

    Attributes:
        sent: packets handed to the gateway, by kind (values of ``PacketKind``).
        retransmissions: packets queued again because no ack came in time.
        acknowledged: acks of ours that arrived.
        unknown_acks: acks of nothing we wait for, mostly second ones.
        covers_received: own cover packets that came back.
        messages_received: messages handed to the application.
        bytes_received: their bytes.
        late_duplicates: fragments of messages that were complete already (their acks were lost).
        malformed: pushed messages that were dropped, by reason.
        given_up: messages that were given up, by the code of the error.
        unbuilt: packets that could not be built when their time came, by the code of the error.
        round_trips: packets that were sent once, by the upper bound in seconds of the time to
            their ack (classes, not sums).
        round_trip_seconds: all of these times together.
    """

    sent: dict[str, int]
    retransmissions: int
    acknowledged: int
    unknown_acks: int
    covers_received: int
    messages_received: int
    bytes_received: int
    late_duplicates: int
    malformed: dict[str, int]
    given_up: dict[str, int]
    unbuilt: dict[str, int]
    round_trips: dict[str, int]
    round_trip_seconds: float

    def __add__(self, other: ClientCounters) -> ClientCounters:
        """Return what two clients have done together."""
        return ClientCounters(
            **{
                each.name: _sum(getattr(self, each.name), getattr(other, each.name))
                for each in fields(self)
            }
        )

    @property
    def packets_sent(self) -> int:
        """All packets handed to the gateway."""
        return sum(self.sent.values())


@dataclass(frozen=True, slots=True)
class ClientGauges:
    """What a client holds now.

    Attributes:
        packets_waiting: for their turn to leave.
        packets_unacknowledged: that left and may still be acknowledged.
        surbs_in_hand: of all senders, the reserve included.
        window_packets: how many may be unacknowledged; ``None`` with a sending schedule.
    """

    packets_waiting: int
    packets_unacknowledged: int
    surbs_in_hand: int
    window_packets: float | None

    def __add__(self, other: ClientGauges) -> ClientGauges:
        """Return what two clients hold together."""
        windows = [each for each in (self.window_packets, other.window_packets) if each is not None]
        return ClientGauges(
            self.packets_waiting + other.packets_waiting,
            self.packets_unacknowledged + other.packets_unacknowledged,
            self.surbs_in_hand + other.surbs_in_hand,
            sum(windows) if windows else None,
        )


NOTHING_HELD = ClientGauges(0, 0, 0, None)


@dataclass(frozen=True, slots=True)
class ClientStatistics:
    """A client at one moment.

    Attributes:
        status: what it is doing.
        counters: what it has done so far.
        gauges: what it holds now.
        memory_bytes: what others make it keep, as its account has it.
        outage_seconds: how long it had no gateway, in all.
        open_streams: streams that are not over, accepted or not.
        dropped: messages that were dropped and streams that were refused, by reason.
    """

    status: ClientStatus
    counters: ClientCounters
    gauges: ClientGauges
    memory_bytes: int
    outage_seconds: float
    open_streams: int
    dropped: dict[str, int]


def _sum(one: Any, other: Any) -> Any:  # noqa: ANN401  (numbers, or counts by kind)
    return dict(Counter(one) + Counter(other)) if isinstance(one, dict) else one + other


NOTHING_DONE = ClientCounters({}, 0, 0, 0, 0, 0, 0, 0, {}, {}, {}, {}, 0.0)


class Tally:
    """The running counts that the client's tasks share."""

    __slots__ = (
        "acknowledged",
        "bytes_received",
        "covers_received",
        "messages_received",
        "sent",
        "unbuilt",
    )

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.unbuilt: Counter[str] = Counter()
        self.acknowledged = 0
        self.covers_received = 0
        self.messages_received = 0
        self.bytes_received = 0
