"""Both halves of acknowledging against a network that loses behind its own acknowledgements.

The model is a set: what the receiver has. Nothing counts as acknowledged that is not in it, and
when the network is calm again everything arrives.
"""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nymproxy.stream.nx2.frames import Ack
from nymproxy.stream.nx2.kept import LEAST_CHARGE_BYTES, Kept
from nymproxy.stream.nx2.receipts import Receipts
from nymproxy.stream.nx2.roundtrip import RoundTrip


class Acknowledging(RuleBasedStateMachine):
    """A sender and a receiver; frames and ACKs wait in between until a rule decides."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.kept = Kept(RoundTrip(), 0.0)
        self.receipts = Receipts(RoundTrip(), is_dialer=False)
        self.sent = 0
        self.counter = 0
        self.known: set[int] = set()
        self.has: set[int] = set()
        self.on_the_way: list[tuple[int, bytes]] = []
        self.probes: list[int] = []
        self.acks: list[Ack] = []

    # The sender.

    @precondition(lambda self: self.kept.has_room)
    @rule(size=st.integers(0, 600))
    def write(self, size: int) -> None:
        frame = self.sent.to_bytes(4, "big") + bytes(size)
        self.kept.add(self.sent, frame, self.now)
        self._hand_over(self.sent, frame)
        self.sent += 1

    @rule()
    def send_what_is_due(self) -> None:
        while (due := self.kept.take_due(self.now)) is not None:
            self._hand_over(*due)
        if self.kept.probe_at <= self.now:
            self.counter += 1
            self.kept.probed(self.counter, self.now)
            self.probes.append(self.counter)

    def _hand_over(self, sequence: int, frame: bytes) -> None:
        assert int.from_bytes(frame[:4], "big") == sequence
        self.kept.handed_over(sequence, self.now)
        self.on_the_way.append((sequence, frame))

    # The network.

    @precondition(lambda self: self.on_the_way)
    @rule(which=st.integers(0, 100), fate=st.sampled_from(("arrives", "twice", "lost", "given up")))
    def decide(self, which: int, fate: str) -> None:
        sequence, _ = self.on_the_way.pop(which % len(self.on_the_way))
        if fate == "given up":
            self.kept.given_up(sequence, self.now)
            return
        self.kept.delivered(sequence, self.now)
        for _ in range({"arrives": 1, "twice": 2, "lost": 0}[fate]):
            self._arrive(sequence)

    def _arrive(self, sequence: int) -> None:
        is_new = self.receipts.numbered(sequence, 100, self.now)
        assert is_new == (sequence not in self.has)
        self.has.add(sequence)

    @precondition(lambda self: self.probes)
    @rule(arrives=st.booleans())
    def decide_probe(self, arrives: bool) -> None:
        counter = self.probes.pop()
        if arrives:
            self.receipts.asked(counter)

    @precondition(lambda self: self.acks)
    @rule(which=st.integers(0, 100), arrives=st.booleans())
    def decide_ack(self, which: int, arrives: bool) -> None:
        ack = self.acks.pop(which % len(self.acks))
        if arrives:
            self._known(self.kept.take_ack(ack, self.now))

    # The receiver.

    @rule()
    def acknowledge(self) -> None:
        if self.receipts.due_at <= self.now:
            self.acks.append(self._ack())
            self.receipts.ack_sent(self.now)

    @rule()
    def acknowledge_with_data(self) -> None:
        self.receipts.frame_sent()
        self._known(self.kept.acknowledge(self.receipts.received.next_expected, self.now))

    def _ack(self) -> Ack:
        received = self.receipts.received
        ranges = received.ranges()
        return Ack(received.next_expected, 1, self.receipts.echo, 0, ranges)

    def _known(self, sequences: list[int]) -> None:
        assert not self.known & set(sequences)
        self.known |= set(sequences)

    @rule(seconds=st.floats(0.01, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def only_what_came_is_acknowledged(self) -> None:
        assert self.known <= self.has
        unknown = self.sent - len(self.known)
        assert self.kept.charged_bytes >= LEAST_CHARGE_BYTES * unknown
        if not unknown:
            assert self.kept.charged_bytes == 0

    def teardown(self) -> None:
        """Be calm: a second each way, nothing is lost. Ends within ten minutes."""
        ends = self.now + 600
        while self.known != set(range(self.sent)):
            assert self.now < ends, "what is missing was not sent again"
            for sequence, _ in self.on_the_way:
                self._arrive(sequence)
                self.kept.delivered(sequence, self.now)
            self.on_the_way.clear()
            for counter in self.probes:
                self.receipts.asked(counter)
            self.probes.clear()
            self.acknowledge()
            for ack in self.acks:
                self._known(self.kept.take_ack(ack, self.now))
            self.acks.clear()
            self.send_what_is_due()
            due = min(self.kept.deadline, self.receipts.due_at)
            is_done = self.known == set(range(self.sent))
            assert is_done or due < math.inf or self.on_the_way or self.probes
            self.now = max(self.now + 1.0, min(due, self.now + 30.0))


TestAcknowledging = Acknowledging.TestCase
TestAcknowledging.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
