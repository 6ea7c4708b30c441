"""Two channels and a network that hypothesis drives message by message, against a model.

The model is four lists: what each application wrote and what it read. Messages may be delayed,
reordered, repeated and acknowledged in any order, but not lost: losing is the simulator's part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from nymproxy.channel.fate import ACKNOWLEDGED, Fate
from nymproxy.channel.table import ChannelTable
from nymproxy.stream.codec import StreamCodec
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import STREAM_RULES, StreamOptions
from tests.channel.builders import ADDRESS, TAG, changed_rules

if TYPE_CHECKING:
    from nymproxy.address import SenderTag
    from nymproxy.channel.machine import ChannelMachine, OutgoingSegment

CODEC = StreamCodec()
RULES = changed_rules(
    STREAM_RULES,
    initial_window_bytes=300,
    window_tolerance_bytes=600,
    send_window_bytes=400,
    max_ahead_frames=6,
    max_ahead_of_open=3,
)


class Side:
    """One application with its table and channel."""

    def __init__(self, name: str, *, extensions: bool) -> None:
        options = StreamOptions(rules=RULES, extensions=extensions, max_frame_bytes=60)
        self.name = name
        self.protocol = StreamProtocol(options)
        self.table = ChannelTable([self.protocol], random_bytes=lambda count: b"\x01" * count)
        self.machine: ChannelMachine | None = None
        self.tag: SenderTag | None = None
        self.unsettled: list[OutgoingSegment] = []
        self.in_transit: list[bytes] = []
        self.written = b""
        self.received = b""
        self.has_ended = False


class PairMachine(RuleBasedStateMachine):
    """Rules are what applications and the network may do, in any order."""

    @initialize(dialer=st.booleans(), acceptor=st.booleans())
    def start(self, dialer: bool, acceptor: bool) -> None:
        self.now = 0.0
        self.dialer = Side("dialer", extensions=dialer)
        self.acceptor = Side("acceptor", extensions=acceptor)
        self.acceptor.tag = TAG
        self.acceptor.table.listen(self.acceptor.protocol, 4, 0.0)
        _, self.dialer.machine = self.dialer.table.open(self.dialer.protocol, ADDRESS, 0.0)
        self.collect()

    def side(self, is_dialer: bool) -> tuple[Side, Side]:
        pair = (self.dialer, self.acceptor)
        return pair if is_dialer else (pair[1], pair[0])

    def collect(self) -> None:
        """Let both machines send what is due."""
        for side in (self.dialer, self.acceptor):
            machine = side.machine
            while machine is not None:
                outgoing = machine.next_outgoing(self.now)
                if outgoing is None:
                    break
                machine.handed_over(outgoing, 1, self.now)
                side.unsettled.append(outgoing)
                side.in_transit.append(CODEC.encode(outgoing.segment))

    @rule(is_dialer=st.booleans(), size=st.integers(1, 200))
    def write(self, is_dialer: bool, size: int) -> None:
        side, _ = self.side(is_dialer)
        if side.machine is None or side.has_ended:
            return
        size = min(size, side.machine.room)
        data = bytes((len(side.written) + offset) % 251 for offset in range(size))
        side.machine.app_wrote(data)
        side.written += data
        self.collect()

    @rule(is_dialer=st.booleans())
    def end(self, is_dialer: bool) -> None:
        side, _ = self.side(is_dialer)
        if side.machine is not None and len(side.written) > 100:
            side.machine.app_finished()
            side.has_ended = True
            self.collect()

    @rule(is_dialer=st.booleans(), size=st.integers(1, 300))
    def read(self, is_dialer: bool, size: int) -> None:
        side, _ = self.side(is_dialer)
        if side.machine is not None and side.machine.is_readable:
            side.received += side.machine.inbound.read(size)
            self.collect()

    @rule(is_dialer=st.booleans(), choice=st.integers(0, 50), repeats=st.booleans())
    def deliver(self, is_dialer: bool, choice: int, repeats: bool) -> None:
        sender, receiver = self.side(is_dialer)
        if not sender.in_transit:
            return
        position = choice % len(sender.in_transit)
        payload = sender.in_transit[position]
        if not repeats:
            del sender.in_transit[position]
        self.arrive(receiver, payload)

    def arrive(self, receiver: Side, payload: bytes) -> None:
        key = receiver.table.message_received(payload, receiver.tag, self.now)
        if receiver.machine is None and key is not None:
            receiver.machine = receiver.table.channels[key]
        self.collect()

    @rule(is_dialer=st.booleans(), choice=st.integers(0, 50), is_acknowledged=st.booleans())
    def settle(self, is_dialer: bool, choice: int, is_acknowledged: bool) -> None:
        side, _ = self.side(is_dialer)
        if not side.unsettled or side.machine is None:
            return
        position = choice % len(side.unsettled)
        outgoing = side.unsettled[position]
        if is_acknowledged:
            del side.unsettled[position]
        side.machine.delivery_changed(outgoing, Fate(True, is_acknowledged), self.now)
        self.collect()

    @rule(seconds=st.sampled_from([0.005, 0.02, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for side in (self.dialer, self.acceptor):
            if side.machine is not None and self.now < 100:  # below every limit
                side.machine.tick(self.now)
        self.collect()

    @precondition(lambda self: self.dialer.has_ended and self.acceptor.has_ended)
    @rule()
    def everything_arrives(self) -> None:
        """From any state a network that works brings every byte and both ends."""
        for _ in range(200):
            self.now += 0.05
            for sender, receiver in ((self.dialer, self.acceptor), (self.acceptor, self.dialer)):
                while sender.in_transit:
                    self.arrive(receiver, sender.in_transit.pop(0))
                while sender.unsettled and sender.machine is not None:
                    sender.machine.delivery_changed(sender.unsettled.pop(0), ACKNOWLEDGED, self.now)
                if receiver.machine is not None and receiver.machine.is_readable:
                    receiver.received += receiver.machine.inbound.read(1000)
                if sender.machine is not None and self.now > 25:
                    sender.machine.tick(self.now)
            self.collect()
        for side, peer in ((self.dialer, self.acceptor), (self.acceptor, self.dialer)):
            assert side.machine is not None
            assert side.machine.error is None
            assert side.received == peer.written
            assert side.machine.is_at_end
            assert side.machine.is_over

    @invariant()
    def received_is_a_prefix_of_written(self) -> None:
        for side, peer in ((self.dialer, self.acceptor), (self.acceptor, self.dialer)):
            assert peer.written.startswith(side.received)
            if side.machine is not None and side.machine.is_at_end:
                assert side.received == peer.written

    @invariant()
    def bounds_hold_and_nothing_fails(self) -> None:
        for side in (self.dialer, self.acceptor):
            machine = side.machine
            if machine is None:
                continue
            assert machine.error is None
            flight = machine.outbound.flight
            assert flight.ahead(machine.outbound.next_index) <= RULES.sending.max_ahead_frames + 1
            assert flight.unsent_messages <= machine.traits.max_unsent_messages
            assert machine.outbound.queued_bytes + flight.unsent_bytes <= 400
            if machine.traits.flow_control:
                assert machine.inbound.unread_bytes <= 300 + 600


TestPairMachine = PairMachine.TestCase
TestPairMachine.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
