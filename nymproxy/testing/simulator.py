"""The virtual-clock simulator: two channel machines, a seeded network between them, no event loop.

::

    simulate(4711)                                      # a random plan, the stream protocol
    simulate(4711, dialer=LegacyProtocol(), acceptor=LegacyProtocol())

Each run is a pure function of its seed and takes milliseconds, however much time passes inside.
After every event the bounds are checked; at the end, that each side got the bytes the other one
wrote, in order and to the end, or an error that it can see. A failure names the seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.channel.protocol import AbortSignal, ChannelProtocol, EndSignal
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import ClientDisconnected, DeliveryAbandoned, NymError, ResetCode
from nymproxy.stream.profile import StreamProtocol
from nymproxy.testing._simulated_link import (
    Fate,
    SimulatedFaults,
    SimulatedLink,
    VirtualClock,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.channel.machine import ChannelMachine, Outgoing
    from nymproxy.channel.table import ChannelKey, Listener

__all__ = (
    "SideResult",
    "SimulatedFaults",
    "SimulationFailure",
    "SimulationPlan",
    "SimulationResult",
    "Workload",
    "harsh_plan",
    "random_plan",
    "simulate",
    "simulate_many",
)

_BACKLOG_SECONDS = 0.5  # a lane takes no more than this ahead of the schedule
_PEER = NymAddress(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    bytes(32),
    NodeIdentity(bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")),
)
_TAG = SenderTag(bytes(range(16)))
_MEBIBYTE = 1024 * 1024


class SimulationFailure(AssertionError):
    """A run broke a promise. The message begins with the seed that repeats it."""


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


class _Side:
    """One client: its table, its one channel, and its application."""

    def __init__(
        self,
        name: str,
        clock: VirtualClock,
        protocol: ChannelProtocol,
        workload: Workload,
        faults: SimulatedFaults,
        seed: int,
    ) -> None:
        self.name = name
        self.clock = clock
        self.protocol = protocol
        self.workload = workload
        self.random = random.Random(f"{seed}/{name}")
        self.link = SimulatedLink(faults, self.random)
        self.table = ChannelTable([protocol], random_bytes=self.random.randbytes)
        self.peer: _Side
        self.key: ChannelKey | None = None
        self.machine: ChannelMachine | None = None
        self.listener: Listener | None = None
        self.written = bytearray()
        self.received = bytearray()
        self.saw_end = False
        self.is_dead = False
        self.is_accepted = False
        self.messages = 0
        self.ended_at: float | None = None
        self._pulls_at: float | None = None
        self._ticks_at: float | None = None
        self._reads = False

    # The application.

    def begin(self) -> None:
        """Start the application on the channel."""
        self.is_accepted = True
        self.clock.after(self.workload.starts_after, self._write)
        if self.workload.dies_at is not None:
            self.clock.at(self.workload.dies_at, self._die)
        self.changed()

    def accept(self) -> None:
        """Take the channel that waits, if one does."""
        assert self.listener is not None
        if not self.is_accepted and self.table.accept(self.listener) is not None:
            self.begin()

    def _write(self) -> None:
        machine, workload = self.machine, self.workload
        if machine is None or machine.error is not None or self.is_dead:
            return
        if workload.aborts_after is not None and len(self.written) >= workload.aborts_after:
            machine.abort(ResetCode.CANCELLED, "as planned")
            self.changed()
            return
        left = workload.total - len(self.written)
        if left == 0:
            machine.app_finished()
            self.changed()
            return
        size = min(left, machine.room, self.random.randint(1, workload.write_size))
        data = self.random.randbytes(size)
        self.written += data
        machine.app_wrote(data)
        self.changed()
        pause = self.random.uniform(0, workload.write_pause)
        self.clock.after(pause if size else max(pause, 0.01), self._write)

    def _read(self) -> None:
        self._reads = False
        machine = self.machine
        if machine is None or self.is_dead:
            return
        if machine.is_readable:
            self.received += machine.inbound.read(self.random.randint(1, self.workload.read_size))
        self.changed()

    def _die(self) -> None:
        self.is_dead = True
        if self.machine is not None:
            self.machine.transport_failed(ClientDisconnected("as planned"))
            self.changed()

    # The machine.

    def changed(self) -> None:
        """Do what the application and the transport do after any event."""
        machine = self.machine
        if machine is None:
            return
        self._pull()
        if machine.is_readable and self.is_accepted and not self._reads:
            self._reads = True
            self.clock.after(self.random.uniform(0, self.workload.read_pause), self._read)
        if machine.is_at_end and not machine.is_cut_short:
            self.saw_end = True
        deadline = machine.next_deadline(self.clock.now)
        if deadline < (self._ticks_at if self._ticks_at is not None else float("inf")):
            self._ticks_at = deadline
            self.clock.at(deadline, self._tick)
        if machine.is_over and self.key is not None and self.key in self.table.channels:
            self.ended_at = self.clock.now
            self.table.remove(self.key, _PEER, self.clock.now)

    def _tick(self) -> None:
        self._ticks_at = None
        if self.machine is not None and not self.is_dead:
            self.machine.tick(self.clock.now)
            self.changed()

    def _pull(self) -> None:
        """Take messages from the machine while the lane has room."""
        assert self.machine is not None
        while not self.is_dead:
            backlog = self.link.backlog_seconds(self.clock.now)
            if backlog > _BACKLOG_SECONDS:
                self._pull_later(backlog - _BACKLOG_SECONDS / 2)
                return
            outgoing = self.machine.next_outgoing(self.clock.now)
            if outgoing is None:
                return
            self._send(outgoing)

    def _pull_later(self, seconds: float) -> None:
        if self._pulls_at is None:
            self._pulls_at = self.clock.now + seconds
            self.clock.at(self._pulls_at, self._pull_again)

    def _pull_again(self) -> None:
        self._pulls_at = None
        self.changed()

    def _send(self, outgoing: Outgoing) -> None:
        assert self.machine is not None
        payload = self.protocol.codec.encode(outgoing.segment)
        now = self.clock.now
        self.messages += 1
        fate = self.link.send(len(payload), now)
        self.machine.handed_over(outgoing, self.link.packet_count(len(payload)), now)
        for arrival in fate.arrivals:
            self.clock.at(arrival, partial(self._arrive, payload, fate.sent_at))
        self._schedule_deliveries(outgoing, fate)

    def _arrive(self, payload: bytes, sent_at: float) -> None:
        dies_at = self.workload.dies_at
        if dies_at is None or sent_at < dies_at:  # what had not left dies with its sender
            self.peer.message_arrived(payload)

    def _schedule_deliveries(self, outgoing: Outgoing, fate: Fate) -> None:
        times = [
            (fate.sent_at, False, None),
            (fate.acknowledged_at, True, None),
            (fate.given_up_at, False, DeliveryAbandoned("given up as planned")),
        ]
        for time, is_acknowledged, error in times:
            if time < float("inf"):
                self.clock.at(
                    time, partial(self._delivery_changed, outgoing, is_acknowledged, error)
                )

    def _delivery_changed(
        self, outgoing: Outgoing, is_acknowledged: bool, error: NymError | None
    ) -> None:
        assert self.machine is not None
        self.machine.delivery_changed(
            outgoing,
            is_sent=error is None,
            is_acknowledged=is_acknowledged,
            error=error,
            now=self.clock.now,
        )
        self.changed()

    def message_arrived(self, payload: bytes) -> None:
        """Take a message from the network."""
        if self.is_dead:
            return
        tag = None if self.listener is None else _TAG
        key = self.table.message_received(payload, tag, self.clock.now)
        if key is not None and self.machine is None:
            self.key, self.machine = key, self.table.channels[key]
        self.changed()

    def result(self) -> SideResult:
        """Return how it ended."""
        return SideResult(
            written=len(self.written),
            received=len(self.received),
            saw_end=self.saw_end,
            error=None if self.machine is None else self.machine.error,
            messages=self.messages,
            ended_at=self.clock.now if self.ended_at is None else self.ended_at,
        )


class _Simulation:
    def __init__(
        self, seed: int, plan: SimulationPlan, dialer: ChannelProtocol, acceptor: ChannelProtocol
    ) -> None:
        self.seed = seed
        self.plan = plan
        self.clock = VirtualClock()
        self.dialer = _Side("dialer", self.clock, dialer, plan.dialer, plan.up, seed)
        self.acceptor = _Side("acceptor", self.clock, acceptor, plan.acceptor, plan.down, seed)
        self.dialer.peer, self.acceptor.peer = self.acceptor, self.dialer

    def run(self) -> SimulationResult:
        dialer, acceptor = self.dialer, self.acceptor
        acceptor.listener = acceptor.table.listen(acceptor.protocol, 16, 0.0)
        dialer.key, dialer.machine = dialer.table.open(dialer.protocol, _PEER, 0.0)
        dialer.begin()
        while self.clock.next_time <= self.plan.until:
            self.clock.step()
            if acceptor.machine is not None and not acceptor.is_accepted:
                self.clock.after(self.plan.accept_after, acceptor.accept)
            self._check_step(dialer, acceptor)
            self._check_step(acceptor, dialer)
            if self._is_over(dialer) and self._is_over(acceptor):
                break
        self._check_end(dialer, acceptor)
        self._check_end(acceptor, dialer)
        return SimulationResult(dialer.result(), acceptor.result())

    def _is_over(self, side: _Side) -> bool:
        if side.is_dead:
            return True
        machine = side.machine
        return machine is not None and machine.is_over and not machine.is_readable

    def _check_step(self, side: _Side, peer: _Side) -> None:
        machine = side.machine
        if machine is None:
            return
        rules = machine.profile.rules
        flight = machine.outbound.flight
        self._check(
            flight.ahead(machine.outbound.next_index) <= rules.max_ahead_frames + 1,
            f"{side.name} ran too far ahead",
        )
        self._check(
            machine.inbound.pending_messages <= rules.reorder_limit_frames,
            f"the reorder buffer of {side.name} is over its limit",
        )
        waiting = machine.outbound.queued_bytes + flight.unsent_bytes
        self._check(waiting <= rules.send_window_bytes, f"{side.name} holds {waiting} bytes unsent")
        bound = rules.unread_limit_bytes + rules.reorder_limit_bytes
        if machine.profile.flow_control:
            bound = 2 * (rules.initial_window_bytes + rules.window_tolerance_bytes)
        self._check(
            machine.inbound.buffered_bytes <= bound + _MEBIBYTE,
            f"{side.name} holds {machine.inbound.buffered_bytes} bytes unread",
        )
        received, written = side.received, peer.written
        self._check(
            len(received) <= len(written)
            and received[-64:] == written[max(0, len(received) - 64) : len(received)],
            f"{side.name} received wrong bytes",
        )

    def _check_end(self, side: _Side, peer: _Side) -> None:
        """All bytes and the end, or an error: never an end that comes too early."""
        complete = side.received == peer.written[: len(side.received)]
        self._check(complete, f"{side.name} received wrong bytes")
        if side.is_dead:
            return
        if side.saw_end:
            self._check(
                side.received == peer.written or self._may_end_early(peer),
                f"{side.name} saw an end after {len(side.received)} of {len(peer.written)} bytes",
            )
        elif side.machine is None or side.machine.error is None:
            self._check(
                self._may_stay_silent(side, peer),
                f"{side.name} saw neither an end nor an error in {self.clock.now:.0f} s",
            )

    def _may_end_early(self, side: _Side) -> bool:
        """A protocol without RESET tells an abort as an end, or its peer takes silence for one."""
        machine = side.machine
        return machine is None or (
            machine.profile.end_signal is EndSignal.NONE
            or (machine.error is not None and machine.profile.abort_signal is AbortSignal.FIN)
        )

    def _may_stay_silent(self, side: _Side, peer: _Side) -> bool:
        """The peer died, cannot tell an end, or failed before anything of it arrived here."""
        machine = peer.machine
        return (
            peer.is_dead
            or machine is None
            or machine.profile.end_signal is EndSignal.NONE
            or (side.machine is None and machine.error is not None)
        )

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            raise SimulationFailure(
                f"seed {self.seed}: {what} (at {self.clock.now:.3f} s)\n{self.plan}"
            )


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
            packet_rate=source.choice((50.0, 500.0, 5_000.0)),
            loss=source.choice((0.0, 0.01, 0.1)),
            duplication=source.choice((0.0, 0.1)),
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


def simulate(
    seed: int,
    plan: SimulationPlan | None = None,
    *,
    dialer: ChannelProtocol | None = None,
    acceptor: ChannelProtocol | None = None,
) -> SimulationResult:
    """Run one simulation.

    Args:
        seed: of everything random.
        plan: what happens; drawn from the seed by default.
        dialer: the dialing side's protocol; the stream protocol by default.
        acceptor: the accepting side's.

    Raises:
        SimulationFailure: wrong or missing bytes, a bound that was passed, or a wait without end.
    """
    return _Simulation(
        seed, plan or random_plan(seed), dialer or StreamProtocol(), acceptor or StreamProtocol()
    ).run()


def simulate_many(
    seeds: Iterable[int],
    *,
    dialer: ChannelProtocol | None = None,
    acceptor: ChannelProtocol | None = None,
) -> int:
    """Run a simulation for each seed; returns how many there were.

    Raises:
        SimulationFailure: of the first run that fails.
    """
    runs = 0
    for seed in seeds:
        simulate(seed, dialer=dialer, acceptor=acceptor)
        runs += 1
    return runs
