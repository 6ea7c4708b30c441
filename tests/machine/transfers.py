"""Two ends of a stream over client machines with a real schedule, and what their lines show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from nymproxy.stream.protocol import StreamProtocol
from nymproxy.testing._simulated_plan import SimulatedFaults, Workload
from nymproxy.testing._simulated_side import SimulatedSide
from tests.machine.conversations import make_mixnet
from tests.machine.line import Line

if TYPE_CHECKING:
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.testing._agenda import VirtualAgenda

FAULTS: Final = SimulatedFaults(delay=(0.02, 0.06), ack_delay=(0.02, 0.06))
SETTLED_SECONDS: Final = 8.0
"""After that the stream is open and a transfer runs at its full rate."""

_NEVER = 1e9
_SILENT = Workload(total=0, starts_after=_NEVER)


@dataclass
class Transfer:
    """A dialer and an acceptor with an open stream, and the lines of both.

    Args:
        profile: of both.
        uploads: bytes that the dialer writes.
        downloads: bytes that the acceptor writes.
        seed: of everything random.
        faults: of the ways between them.
    """

    profile: TrafficProfile
    uploads: int = 0
    downloads: int = 0
    seed: int = 1
    faults: SimulatedFaults = FAULTS

    def __post_init__(self) -> None:
        network = make_mixnet(self.seed, self.faults.of_packets())
        self.agenda = cast("VirtualAgenda", network.agenda)
        self.line, self.server_line = Line(network, "dialer"), Line(network, "acceptor")
        profile = replace(self.profile, header_pool_size=0)

        def side(name: str, total: int) -> SimulatedSide:
            busy = Workload(total=total, write_size=32_768, write_pause=0.0)
            workload = busy if total else _SILENT
            return SimulatedSide(name, network, StreamProtocol(), workload, self.faults, profile)

        self.dialer, self.acceptor = side("dialer", self.uploads), side("acceptor", self.downloads)
        self.acceptor.listen()
        self.dialer.dial(self.acceptor.address)

    def run(self, until: float) -> None:
        """Let time pass, to this many seconds from the beginning."""
        agenda, acceptor = self.agenda, self.acceptor
        while agenda.next_time <= until:
            agenda.step()
            if acceptor.machine is not None and not acceptor.is_accepted:
                agenda.after(0, acceptor.accept)


def rate(times: list[float], until: float) -> float:
    """Return how often a second it happened, once settled."""
    return sum(SETTLED_SECONDS <= time < until for time in times) / (until - SETTLED_SECONDS)
