"""What physics and the wire format allow: the bound that stands beside each figure.

Three bounds: the sending schedule (packets a second times bytes in a packet), the delays that
packets meet on purpose, and the CPU. A figure without its bound says nothing about the code.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.statistics import percentile
from nymproxy.legacy.message import DATA_OVERHEAD
from nymproxy.mixnet.messages import fragment_length, fragments_needed
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.mixnet.traffic import profile_of
from nymproxy.stream.codec import HEADER_LENGTH

if TYPE_CHECKING:
    from nymproxy.mixnet.traffic import TrafficProfile

DELAYING_HOPS = 3
"""The egress gateway does not delay."""
SURB_BYTES = 460
"""A reply SURB on the wire: version 2, four hops."""
_DATA_OVERHEAD = 1 + 16 + 1 + 4
"""Message kind, sender tag, content kind, SURB preamble of a message to an address."""
_REPLY_OVERHEAD = 1 + 1
"""Message kind and content kind of a reply."""
_FRAME_OVERHEAD = {"stream": HEADER_LENGTH, "legacy": DATA_OVERHEAD}
_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Bound:
    """The bound of one figure.

    Attributes:
        kind: ``sending rate``, ``delay``, ``CPU`` or ``budget``.
        value: in the figure's unit.
        larger_is_better: a rate cannot be above its bound, a time not below.
    """

    kind: str
    value: float
    larger_is_better: bool = False

    def quotient(self, figure: float) -> float:
        """Return the figure in bounds: at most about 1 for a rate, at least about 1 for a time."""
        return figure / self.value


def packets_for(payload: int, wire: str, *, reply: bool = False, surbs: int = 0) -> int:
    """Return the packets of one message that carries ``payload`` application bytes."""
    overhead = (_REPLY_OVERHEAD if reply else _DATA_OVERHEAD) + _FRAME_OVERHEAD[wire]
    length = payload + overhead + surbs * SURB_BYTES
    # One more byte, for the padding has at least its marker.
    return fragments_needed(length + 1, fragment_length(PacketSize.REGULAR)).fragments


def sending_rate_bound(profile: str, wire: str, frame_bytes: int, *, reply: bool) -> Bound | None:
    """Return the goodput in MB/s that the sending schedule allows, ``None`` without a schedule.

    Args:
        profile: its name.
        wire: ``legacy`` or ``stream``.
        frame_bytes: application bytes in one message.
        reply: the sender answers with SURBs.
    """
    rate = profile_of(profile).packet_rate
    if rate is None:
        return None
    bytes_per_packet = frame_bytes / packets_for(frame_bytes, wire, reply=reply)
    return Bound("sending rate", rate * bytes_per_packet / 1e6, larger_is_better=True)


def cpu_rate_bound(
    payload_bytes: int, cpu_seconds_by_process: tuple[float, ...], cores: int
) -> Bound | None:
    """Return the goodput in MB/s if nobody ever waited, given the CPU time that was used.

    The work of one process cannot run on two cores, and all of it together not on more than there
    are. The quotient is what is lost by waiting.
    """
    if not cpu_seconds_by_process or not max(cpu_seconds_by_process) > 0:
        return None
    seconds = max(sum(cpu_seconds_by_process) / cores, *cpu_seconds_by_process)
    return Bound("CPU", payload_bytes / seconds / 1e6, larger_is_better=True)


@cache
def echo_seconds(profile: str, packets_up: int, packets_down: int) -> tuple[float, ...]:
    """Return sorted echo times that the delays alone give, from a seeded simulation.

    Packets leave one after the other at exponential distances; each meets three exponential
    delays; a message is there with its last packet. Nothing else waits to be sent.
    """
    shape = profile_of(profile)
    generator = random.Random(f"{profile} {packets_up} {packets_down}")
    return tuple(
        sorted(
            _one_way(shape, packets_up, generator) + _one_way(shape, packets_down, generator)
            for _ in range(_DRAWS if packets_up + packets_down < 10 else _DRAWS // 5)
        )
    )


def _one_way(shape: TrafficProfile, packets: int, generator: random.Random) -> float:
    leaves = latest = 0.0
    for _ in range(packets):
        if shape.sending_delay_seconds is not None:
            leaves += generator.expovariate(1 / shape.sending_delay_seconds)
        arrives = leaves
        if shape.packet_delay_seconds:
            rate = 1 / shape.packet_delay_seconds
            arrives += sum(generator.expovariate(rate) for _ in range(DELAYING_HOPS))
        latest = max(latest, arrives)
    return latest


def delay_bound(
    profile: str, packets_up: int, packets_down: int, percent: float = 50
) -> Bound | None:
    """Return the echo time in seconds that the delays allow; ``None`` where there are none."""
    seconds = percentile(echo_seconds(profile, packets_up, packets_down), percent)
    return Bound("delay", seconds) if seconds > 0 else None
