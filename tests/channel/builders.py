"""Addresses, segments and machines for the tests of channels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.channel import ChannelId, ChannelRules, PeerMemory, Segment, SegmentKind
from nymproxy.channel.fate import Fate
from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import FULL_SUPPORT, STREAM_RULES, StreamOptions

if TYPE_CHECKING:
    from nymproxy.errors import NymError

ADDRESS = NymAddress(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    bytes(32),
    NodeIdentity(bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")),
)
TAG = SenderTag(bytes(range(16)))
OTHER_TAG = SenderTag(bytes(range(1, 17)))
ID = ChannelId(0x0011223344556677)


def data(sequence: int, payload: bytes = b"x", *, shows: bool = False) -> Segment:
    """A DATA segment; ``shows`` the extension."""
    capabilities = FULL_SUPPORT if shows else None
    return Segment(SegmentKind.DATA, ID, sequence, payload, capabilities)


def fin(sequence: int) -> Segment:
    return Segment(SegmentKind.FIN, ID, sequence, capabilities=FULL_SUPPORT)


def control(kind: SegmentKind, sequence: int = 0, limit: int = 0) -> Segment:
    return Segment(kind, ID, sequence, capabilities=FULL_SUPPORT, limit=limit)


def changed_rules(rules: ChannelRules, **changes: Any) -> ChannelRules:
    """Change single rules, whichever concern each belongs to."""
    groups = {}
    for concern in ("order", "sending", "flow", "quiet"):
        group = getattr(rules, concern)
        mine = {name: changes.pop(name) for name in list(changes) if hasattr(group, name)}
        groups[concern] = replace(group, **mine)
    assert not changes, f"no such rules: {changes}"
    return replace(rules, **groups)


class Bench:
    """One machine whose transport the test plays: messages are taken and settled by hand."""

    def __init__(
        self,
        *,
        is_dialer: bool = True,
        options: StreamOptions | None = None,
        memory: PeerMemory | None = None,
        **rules: Any,
    ) -> None:
        options = options or StreamOptions()
        if rules:
            options = replace(options, rules=changed_rules(options.rules, **rules))
        self.protocol = StreamProtocol(options, memory or PeerMemory())
        self.now = 0.0
        self.sent: list[OutgoingSegment] = []
        opening = Segment(SegmentKind.OPEN, ID)
        traits = self.protocol.dial(ID, ADDRESS) if is_dialer else self.protocol.answer(opening)
        self.machine = ChannelMachine(ID, traits, is_dialer=is_dialer, now=0.0)
        if not is_dialer:
            self.machine.attach_listener()

    @property
    def rules(self) -> ChannelRules:
        return self.machine.traits.rules

    def receive(self, *segments: Segment) -> None:
        for segment in segments:
            self.machine.segment_received(segment, self.now)

    def pull(self) -> list[Segment]:
        """Take what is due, as a transport that has room; returns the segments."""
        taken = []
        while (outgoing := self.machine.next_outgoing(self.now)) is not None:
            self.machine.handed_over(outgoing, 1, self.now)
            self.sent.append(outgoing)
            taken.append(outgoing.segment)
        return taken

    def kinds(self) -> list[SegmentKind]:
        return [segment.kind for segment in self.pull()]

    def settle(
        self,
        outgoing: OutgoingSegment,
        *,
        is_sent: bool = True,
        is_acknowledged: bool = False,
        error: NymError | None = None,
    ) -> None:
        self.machine.delivery_changed(outgoing, Fate(is_sent, is_acknowledged, error), self.now)

    def all_left(self) -> None:
        """Everything taken has left for the gateway."""
        for outgoing in self.sent:
            self.settle(outgoing)

    def acknowledge(self, count: int | None = None) -> None:
        """Acknowledge the oldest messages, or all."""
        for outgoing in self.sent[:count]:
            self.settle(outgoing, is_acknowledged=True)
        del self.sent[: len(self.sent) if count is None else count]

    def pump(self) -> list[Segment]:
        """Take and let leave, until nothing is due any more."""
        taken: list[Segment] = []
        while batch := self.pull():
            taken += batch
            self.all_left()
        return taken

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with a tick at every deadline on the way."""
        end = self.now + seconds
        while (deadline := self.machine.next_deadline(self.now)) <= end:
            assert deadline >= self.now or self.machine.error is None
            self.now = max(self.now, deadline)
            before = deadline
            self.machine.tick(self.now)
            self.pull()
            after = self.machine.next_deadline(self.now)
            assert after > before or after == float("inf"), "a deadline that is never settled"
        self.now = end

    def write(self, payload: bytes) -> None:
        self.machine.app_wrote(payload)

    def read(self) -> bytes:
        """Everything that can be read now."""
        parts = []
        while self.machine.is_readable:
            parts.append(self.machine.inbound.read(65536))
        return b"".join(parts)


def open_segment(*, shows: bool = False, payload: bytes = b"") -> Segment:
    capabilities = FULL_SUPPORT if shows else None
    return Segment(SegmentKind.OPEN, ID, payload=payload, capabilities=capabilities)


__all__ = (
    "ADDRESS",
    "FULL_SUPPORT",
    "ID",
    "OTHER_TAG",
    "STREAM_RULES",
    "TAG",
    "Bench",
    "control",
    "data",
    "fin",
    "open_segment",
)
