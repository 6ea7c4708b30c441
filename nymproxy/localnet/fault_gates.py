"""The faults of a plan at work: one gate for each link, each with a random source of its own.

Sans-IO: a gate is given the time and a packet, and returns what becomes of it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from nymproxy.localnet.faults import FaultPlan
from nymproxy.localnet.gate import Gate
from nymproxy.localnet.push_gates import PushGate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy.localnet.faults import LinkFaults
    from nymproxy.localnet.gate import Passing


class FaultGate(Gate["_Rule"]):
    """All faults of one link, from one named node to another."""

    def __init__(self, source: str, target: str, count: Callable[[str], None]) -> None:
        super().__init__(count)
        self.source = source
        self.target = target

    def _rules_of(self, plan: FaultPlan) -> Iterator[_Rule]:
        for index, faults in enumerate(plan.links):
            if faults.covers(self.source, self.target):
                seed = f"{plan.seed}/{index}/{self.source}->{self.target}"
                yield _Rule(faults, random.Random(seed))

    def apply(self, packet: bytes, now: float) -> Passing:
        """Return what passes of a packet, and when."""
        return self._pass(packet, now, self._rules)


class _Rule:
    """One entry of the plan on one link, with the state of its bursts."""

    def __init__(self, faults: LinkFaults, source: random.Random) -> None:
        self.faults = faults
        self._random = source
        self._in_burst = False

    def is_active(self, elapsed: float) -> bool:
        return self.faults.is_active(elapsed)

    def apply(self, packet: bytes, count: Callable[[str], None]) -> Passing:
        lost = self._lost()
        if lost is not None:
            count(lost)
            return []
        if self._happens(self.faults.corrupt) and packet:
            count("corrupt")
            packet = self._flip_a_bit(packet)
        passing = [(self._delay(count), packet)]
        if self._happens(self.faults.duplicate):
            count("duplicate")
            passing.append((self._delay(count), packet))
        return passing

    def _lost(self) -> str | None:
        faults = self.faults
        if faults.blackhole:
            return "blackhole"
        if self._in_burst:
            self._in_burst = not self._happens(1 / faults.burst_packets)
            return "burst_loss"
        if self._happens(faults.burst_start):
            self._in_burst = not self._happens(1 / faults.burst_packets)
            return "burst_loss"
        return "loss" if self._happens(faults.loss) else None

    def _delay(self, count: Callable[[str], None]) -> float:
        faults = self.faults
        delay = faults.delay_seconds
        if faults.jitter_seconds:
            delay += faults.jitter_seconds * self._random.random()
        if delay:
            count("delay")
        if self._happens(faults.reorder):
            count("reorder")
            delay += faults.reorder_seconds
        return delay

    def _happens(self, probability: float) -> bool:
        return bool(probability) and self._random.random() < probability

    def _flip_a_bit(self, packet: bytes) -> bytes:
        changed = bytearray(packet)
        changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)


class FaultGates:
    """The gates of all links and gateways of this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._plan = FaultPlan()
        self._installed_at = 0.0
        self._gates: dict[tuple[str, str], FaultGate] = {}
        self._push_gates: dict[str, PushGate] = {}

    @property
    def plan(self) -> FaultPlan:
        """The plan in force."""
        return self._plan

    def gate(self, source: str, target: str, count: Callable[[str], None]) -> FaultGate:
        """Return the gate of a link; ``count(kind)`` is called for each injected fault."""
        gate = self._gates.get((source, target))
        if gate is None:
            gate = self._gates[source, target] = FaultGate(source, target, count)
            gate.install(self._plan, self._installed_at)
        return gate

    def push_gate(self, gateway: str, count: Callable[[str], None]) -> PushGate:
        """Return the gate of what a gateway pushes; ``count`` as for :meth:`gate`."""
        gate = self._push_gates.get(gateway)
        if gate is None:
            gate = self._push_gates[gateway] = PushGate(gateway, count)
            gate.install(self._plan, self._installed_at)
        return gate

    def install(self, plan: FaultPlan) -> None:
        """Replace the plan; its times count from now, its random sources start anew."""
        self._plan, self._installed_at = plan, self._clock()
        for gate in self._gates.values():
            gate.install(plan, self._installed_at)
        for push_gate in self._push_gates.values():
            push_gate.install(plan, self._installed_at)
