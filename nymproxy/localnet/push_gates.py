"""What a gateway does to messages that it has acknowledged, as a plan says. Sans-IO."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from nymproxy.localnet.faults import PushAction
from nymproxy.localnet.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy.localnet.faults import FaultPlan, PushFault
    from nymproxy.localnet.gate import Passing


class PushGate(Gate["_Rule"]):
    """All push faults of one gateway."""

    def __init__(self, gateway: str, count: Callable[[str], None]) -> None:
        super().__init__(count)
        self._gateway = gateway

    def _rules_of(self, plan: FaultPlan) -> Iterator[_Rule]:
        for index, fault in enumerate(plan.pushes):
            if fnmatchcase(self._gateway, fault.gateway):
                yield _Rule(fault, random.Random(f"{plan.seed}/push/{index}/{self._gateway}"))

    def apply(self, client: str, packet: str, message: bytes, now: float) -> Passing:
        """Return what is pushed.

        Args:
            client: identity of the client, base58.
            packet: the packet size that the message came in, in lower case.
            message: what is to be pushed.
            now: monotonic seconds.
        """
        rules = (rule for rule in self._rules if rule.is_for(client, packet))
        return self._pass(message, now, rules)


class _Rule:
    def __init__(self, fault: PushFault, source: random.Random) -> None:
        self.fault = fault
        self._random = source
        self._to_skip = fault.skip
        self._left = fault.count

    def is_active(self, elapsed: float) -> bool:
        return self.fault.is_active(elapsed)

    def is_for(self, client: str, packet: str) -> bool:
        return fnmatchcase(client, self.fault.client) and fnmatchcase(packet, self.fault.packet)

    def apply(self, message: bytes, count: Callable[[str], None]) -> Passing:
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
