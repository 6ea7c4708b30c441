"""What happens in a run of the simulator, and how it ended: data, and plans drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nymproxy.testing._pretended_mixnet import PacketFaults

if TYPE_CHECKING:
    from nymproxy.errors import NymError


@dataclass(frozen=True, slots=True)
class SimulatedFaults:
    """What the way from one client does to its packets. Times in seconds.

    Attributes:
        delay: shortest and longest time of a packet on its way; the difference reorders.
        ack_delay: of an ack.
        packet_rate: packets that leave each second, evenly spaced.
        loss: chance of each packet, and of each ack, to be lost.
        attempts: transmissions of a packet after which its message is given up.
        duplication: chance of a packet to come twice.
        reordering: chance of a packet to be held back by two seconds.
        outages: times between which the client has no link: nothing leaves or arrives.
        corruption: chance that the recipient's gateway flips a bit of what it pushes.
        swallowing: chance that the recipient's gateway acks a packet and then loses it.
    """

    delay: tuple[float, float] = (0.05, 0.15)
    ack_delay: tuple[float, float] = (0.05, 0.15)
    packet_rate: float = 500.0
    loss: float = 0.0
    attempts: int = 13
    duplication: float = 0.0
    reordering: float = 0.0
    outages: tuple[tuple[float, float], ...] = ()
    corruption: float = 0.0
    swallowing: float = 0.0

    def of_packets(self) -> PacketFaults:
        """Return the part of it that happens to packets."""
        return PacketFaults(
            delay=self.delay,
            ack_delay=self.ack_delay,
            loss=self.loss,
            ack_loss=self.loss,
            duplication=self.duplication,
            reordering=self.reordering,
            reordering_seconds=2.0,
            corruption=self.corruption,
            swallowing=self.swallowing,
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """What the application of one side does. Times in seconds, sizes in bytes.

    Attributes:
        total: written in all.
        write_size: largest single write.
        write_pause: longest pause between writes.
        read_size: largest single read.
        read_pause: longest pause between reads.
        starts_after: before the first write.
        aborts_after: bytes written after which the channel is aborted; ``None``: it ends orderly.
        dies_at: when the client loses its transport for good; ``None``: never.
    """

    total: int = 100_000
    write_size: int = 20_000
    write_pause: float = 0.05
    read_size: int = 65_536
    read_pause: float = 0.0
    starts_after: float = 0.0
    aborts_after: int | None = None
    dies_at: float | None = None


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """One run: the workloads of both sides and the faults of both directions.

    Attributes:
        dialer: what the dialing side does.
        acceptor: what the accepting side does.
        up: the network from dialer to acceptor.
        down: the network back.
        accept_after: how long the acceptor takes to accept.
        until: end of the run, in seconds of virtual time.
    """

    dialer: Workload = Workload()
    acceptor: Workload = Workload()
    up: SimulatedFaults = field(default_factory=SimulatedFaults)
    down: SimulatedFaults = field(default_factory=SimulatedFaults)
    accept_after: float = 0.0
    until: float = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class SideResult:
    """How a run ended for one side.

    Attributes:
        written: bytes that its application wrote.
        received: bytes that its application read.
        saw_end: the end of the peer's direction was read.
        error: what the channel failed with.
        messages: messages that it sent.
        ended_at: virtual time of the end.
    """

    written: int
    received: int
    saw_end: bool
    error: NymError | None
    messages: int
    ended_at: float


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """How a run ended."""

    dialer: SideResult
    acceptor: SideResult


def random_plan(seed: int) -> SimulationPlan:
    """Draw a plan: sizes, pauses and faults of every kind that a channel survives."""
    source = random.Random(f"{seed}/plan")

    def workload() -> Workload:
        write_size = source.choice((10, 1_000, 20_000, 200_000))
        most = min(400_000, 60 * write_size)  # so many writes, and about as many reads
        total = source.choice((0, 1, source.randint(1, most), source.randint(1, most)))
        return Workload(
            total=total,
            write_size=write_size,
            write_pause=source.choice((0.0, 0.005, 0.1)),
            read_size=max(total // 40, source.choice((100, 10_000, 65_536))),
            read_pause=source.choice((0.0, 0.0, 0.2)),
            starts_after=source.choice((0.0, 0.0, 3.0)),
        )

    def faults() -> SimulatedFaults:
        longest = source.choice((0.06, 0.5, 4.0))
        start = source.uniform(0, 20)
        return SimulatedFaults(
            delay=(0.05, longest),
            ack_delay=(0.05, source.choice((0.06, longest))),
            packet_rate=source.choice((50.0, 500.0, 5_000.0)),
            loss=source.choice((0.0, 0.01, 0.1)),
            duplication=source.choice((0.0, 0.1)),
            reordering=source.choice((0.0, 0.05)),
            outages=((start, start + source.uniform(0, 30)),) if source.random() < 0.2 else (),
        )

    return SimulationPlan(
        workload(), workload(), faults(), faults(), accept_after=source.choice((0.0, 0.0, 2.0))
    )


def harsh_plan(seed: int) -> SimulationPlan:
    """Draw a plan in which a side aborts or dies, or messages are lost for good."""
    plan = random_plan(seed)
    source = random.Random(f"{seed}/harsh")
    kind = source.choice(("abort", "die", "give up"))
    if kind == "give up":
        lossy = replace(plan.up, loss=0.1, attempts=2)
        return replace(plan, up=lossy) if source.random() < 0.5 else replace(plan, down=lossy)
    is_dialer = source.random() < 0.5
    workload = plan.dialer if is_dialer else plan.acceptor
    if kind == "abort":
        workload = replace(workload, aborts_after=source.randint(0, workload.total))
    else:
        workload = replace(workload, dies_at=source.uniform(0, 10))
    return replace(plan, dialer=workload) if is_dialer else replace(plan, acceptor=workload)
