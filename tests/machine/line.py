"""What an observer of a client's line sees: when frames pass, which way, and of which size."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.testing._pretended_mixnet import Mailbox, PretendedMixnet

_SHORTEST_PACKET_BYTES = 32  # of key material; what is shorter is an ack, which TLS does not hide


class Line:
    """The times at which frames pass, in seconds. To be made before the client is.

    Attributes:
        up: packets from the client to its gateway.
        down: packets that the gateway pushes to the client: covers of its own, and data.
        acks: acks that the gateway pushes to it, whose frames are small.
    """

    def __init__(self, network: PretendedMixnet, name: str) -> None:
        self.up: list[float] = []
        self.down: list[float] = []
        self.acks: list[float] = []
        self._network = network
        self._identity = network.address_of(name).identity
        self._carry, self._join = network.carry, network.join
        network.carry = self._carried  # type: ignore[method-assign]
        network.join = self._joined  # type: ignore[method-assign]

    def _carried(self, packet: MixPacket) -> None:
        if getattr(packet, "sender", b"") == self._identity:
            self.up.append(self._network.agenda.now)
        self._carry(packet)

    def _joined(self, identity: bytes, push: Callable[[bytes, object], None]) -> Mailbox:
        if identity != self._identity:
            return self._join(identity, push)

        def observed(pushed: bytes, note: object) -> None:
            is_packet = len(pushed) >= _SHORTEST_PACKET_BYTES
            (self.down if is_packet else self.acks).append(self._network.agenda.now)
            push(pushed, note)

        return self._join(identity, observed)


def gaps(times: list[float]) -> list[float]:
    """Return what lies between each time and the next."""
    return [after - before for before, after in pairwise(times)]


def two_sample_p_value(first: list[float], second: list[float]) -> float:
    """The Kolmogorov-Smirnov test: how probable a difference as large as this is by chance."""
    marks = sorted([(x, 1 / len(first)) for x in first] + [(x, -1 / len(second)) for x in second])
    distance = height = 0.0
    for index, (x, step) in enumerate(marks):
        height += step
        if index + 1 == len(marks) or marks[index + 1][0] != x:
            distance = max(distance, abs(height))
    size = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    scaled = (size + 0.12 + 0.11 / size) * distance
    if scaled < 0.3:  # where the series does not converge, and the value is 1 to many places
        return 1.0
    terms = [(-1.0) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101)]
    return 2 * sum(terms)
