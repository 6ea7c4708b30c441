"""Sessions without I/O: channel machines with the legacy protocol, driven by hand."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy.channel import ChannelId, Segment, SegmentKind
from nymproxy.channel.fate import ACKNOWLEDGED
from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
from nymproxy.legacy.codec import LegacyCodec
from nymproxy.legacy.protocol import LegacyProtocol
from tests.legacy.addresses import some_address

if TYPE_CHECKING:
    from nymproxy.legacy.traits import LegacySettings

MODERN = ChannelId(uuid.UUID("2489e9ad-2ee2-8e00-8ec9-32d5f69181c0").int)
OLD = ChannelId(uuid.UUID("00112233-4455-4677-8899-aabbccddeeff").int)
CODEC = LegacyCodec()


def data(message_id: int, payload: bytes, session: ChannelId = MODERN) -> Segment:
    return Segment(SegmentKind.DATA, session, message_id, payload)


def close(message_id: int, session: ChannelId = MODERN) -> Segment:
    return Segment(SegmentKind.FIN, session, message_id)


def dialer(settings: LegacySettings | None = None, *, is_modern: bool = False) -> ChannelMachine:
    """Our client's side of a session."""
    traits = LegacyProtocol(settings).dial(MODERN, some_address())
    if is_modern:
        traits.is_modern, traits.pacing = True, None
    return ChannelMachine(MODERN, traits, is_dialer=True, now=0.0)


def acceptor(session: ChannelId = MODERN, settings: LegacySettings | None = None) -> ChannelMachine:
    """Our server's side of a session."""
    traits = LegacyProtocol(settings).answer(data(0, b"", session))
    machine = ChannelMachine(session, traits, is_dialer=False, now=0.0)
    machine.attach_listener()
    return machine


@dataclass
class Reader:
    """What an application gets out of a machine, and when."""

    machine: ChannelMachine
    reads: list[tuple[float, bytes]] = field(default_factory=list)
    end_at: float | None = None

    @property
    def received(self) -> bytes:
        return b"".join(payload for _, payload in self.reads)

    def take(self, segment: Segment, now: float) -> None:
        """An arrival, and then what can be read."""
        self.machine.segment_received(segment, now)
        self.look(now)

    def look(self, now: float) -> None:
        while self.machine.is_readable:
            self.reads.append((now, self.machine.inbound.read(1 << 20)))
        if self.machine.is_at_end and self.end_at is None:
            self.end_at = now


def send_all(machine: ChannelMachine, now: float) -> list[OutgoingSegment]:
    """Everything that is due, each acknowledged at once."""
    sent = []
    while (outgoing := machine.next_outgoing(now)) is not None:
        sent.append(outgoing)
        machine.handed_over(outgoing, 1, now)
        machine.delivery_changed(outgoing, ACKNOWLEDGED, now)
    return sent
