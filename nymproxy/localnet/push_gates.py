"""What a gateway does to messages that it has acknowledged, as a plan says. Sans-IO."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from nymproxy.localnet.faults import FaultPlan, PushAction, PushFault

if TYPE_CHECKING:
    from collections.abc import Callable


class PushGate:
    """All push faults of one gateway, each with dice and a count of its own."""

    def __init__(self, gateway: str, count: Callable[[str], None]) -> None:
        self._gateway = gateway
        self._count = count
        self._rules: list[_Rule] = []
        self._installed_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nothing is planned for this gateway: messages need not be shown to the gate."""
        return not self._rules

    def install(self, plan: FaultPlan, now: float) -> None:
        """Take over a plan, whose times count from ``now`` (monotonic seconds)."""
        self._installed_at = now
        self._rules = [
            _Rule(fault, random.Random(f"{plan.seed}/push/{index}/{self._gateway}"))
            for index, fault in enumerate(plan.pushes)
            if fnmatchcase(self._gateway, fault.gateway)
        ]

    def apply(
        self, client: str, packet: str, message: bytes, now: float
    ) -> list[tuple[float, bytes]]:
        """Return what is pushed: how many seconds later, and what. Empty when it is swallowed.

        Args:
            client: identity of the client, base58.
            packet: the packet size that the message came in, in lower case.
            message: what is to be pushed.
            now: monotonic seconds.
        """
        pushed = [(0.0, message)]
        elapsed = now - self._installed_at
        for rule in self._rules:
            if rule.is_for(client, packet) and rule.fault.is_active(elapsed):
                pushed = [
                    (delay + extra, changed)
                    for delay, item in pushed
                    for extra, changed in rule.apply(item, self._count)
                ]
        return pushed


class _Rule:
    def __init__(self, fault: PushFault, source: random.Random) -> None:
        self.fault = fault
        self._random = source
        self._to_skip = fault.skip
        self._left = fault.count

    def is_for(self, client: str, packet: str) -> bool:
        return fnmatchcase(client, self.fault.client) and fnmatchcase(packet, self.fault.packet)

    def apply(self, message: bytes, count: Callable[[str], None]) -> list[tuple[float, bytes]]:
        if not self._happens():
            return [(0.0, message)]
        count(f"push_{self.fault.action}")
        if self.fault.action is PushAction.SWALLOW:
            return []
        if self.fault.action is PushAction.ALTER:
            return [(0.0, self._altered(message))]
        delay = self.fault.delay_seconds + self.fault.jitter_seconds * self._random.random()
        return [(0.0, message), (delay, message)]

    def _happens(self) -> bool:
        if self._to_skip:
            self._to_skip -= 1
            return False
        if self._left == 0 or self._random.random() >= self.fault.probability:
            return False
        if self._left is not None:
            self._left -= 1
        return True

    def _altered(self, message: bytes) -> bytes:
        changed = bytearray(message)
        for offset in self.fault.offsets or (self._random.randrange(len(message)),):
            if -len(message) <= offset < len(message):
                changed[offset] ^= self.fault.mask or 1 << self._random.randrange(8)
        return bytes(changed)
