"""The virtual-clock simulator: two channels over two real client machines, no event loop.

::

    simulate(4711)                                      # a random plan, the stream protocol
    simulate(4711, dialer=LegacyProtocol(), acceptor=LegacyProtocol())

Below the channels are the machines that a
:class:`~nymproxy.mixnet.client.message_client.MessageClient` has, and below those a pretended
network, which loses, delays, doubles and alters single packets and acks.
Each run is a pure function of its seed and takes milliseconds, however much time passes inside.
After every event the bounds are checked; at the end, that each side got the bytes the other one
wrote, in order and to the end, or an error that it can see. A failure names the seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.channel.protocol import AbortSignal, ChannelProtocol, EndSignal
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.testing._agenda import VirtualAgenda
from nymproxy.testing._pretended_mixnet import PacketFaults, PretendedMixnet
from nymproxy.testing._simulated_plan import (
    SideResult,
    SimulatedFaults,
    SimulationPlan,
    SimulationResult,
    Workload,
    harsh_plan,
    random_plan,
)
from nymproxy.testing._simulated_side import SimulatedSide

if TYPE_CHECKING:
    from collections.abc import Iterable

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

_MEBIBYTE = 1024 * 1024


class SimulationFailure(AssertionError):
    """A run broke a promise. The message begins with the seed that repeats it."""


class _Simulation:
    def __init__(
        self, seed: int, plan: SimulationPlan, dialer: ChannelProtocol, acceptor: ChannelProtocol
    ) -> None:
        self.seed = seed
        self.plan = plan
        self.agenda = VirtualAgenda()
        self._packet_faults: dict[bytes, PacketFaults] = {}
        network = PretendedMixnet(self.agenda, seed, self._packet_faults.__getitem__)
        self.dialer = SimulatedSide("dialer", network, dialer, plan.dialer, plan.up)
        self.acceptor = SimulatedSide("acceptor", network, acceptor, plan.acceptor, plan.down)
        for side in (self.dialer, self.acceptor):
            self._packet_faults[side.address.identity] = side.faults.of_packets()

    def run(self) -> SimulationResult:
        dialer, acceptor = self.dialer, self.acceptor
        acceptor.listen()
        dialer.dial(acceptor.address)
        while self.agenda.next_time <= self.plan.until:
            self.agenda.step()
            if acceptor.machine is not None and not acceptor.is_accepted:
                self.agenda.after(self.plan.accept_after, acceptor.accept)
            self._check_step(dialer, acceptor)
            self._check_step(acceptor, dialer)
            if self._is_over(dialer) and self._is_over(acceptor):
                break
        self._check_end(dialer, acceptor)
        self._check_end(acceptor, dialer)
        return SimulationResult(dialer.result(), acceptor.result())

    def _is_over(self, side: SimulatedSide) -> bool:
        if side.is_dead:
            return True
        machine = side.machine
        return machine is not None and machine.is_over and not machine.is_readable

    def _check_step(self, side: SimulatedSide, peer: SimulatedSide) -> None:
        machine = side.machine
        if machine is None:
            return
        rules = machine.traits.rules
        flight = machine.outbound.flight
        self._check(
            flight.ahead(machine.outbound.next_index) <= rules.sending.max_ahead_frames + 1,
            f"{side.name} ran too far ahead",
        )
        self._check(
            machine.inbound.pending_messages <= rules.order.reorder_limit_frames,
            f"the reorder buffer of {side.name} is over its limit",
        )
        waiting = machine.outbound.queued_bytes + flight.unsent_bytes
        self._check(
            waiting <= rules.sending.send_window_bytes, f"{side.name} holds {waiting} bytes unsent"
        )
        bound = rules.flow.unread_limit_bytes + rules.order.reorder_limit_bytes
        if machine.traits.flow_control:
            bound = 2 * (rules.flow.initial_window_bytes + rules.flow.window_tolerance_bytes)
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

    def _check_end(self, side: SimulatedSide, peer: SimulatedSide) -> None:
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
                f"{side.name} saw neither an end nor an error in {self.agenda.now:.0f} s",
            )

    def _may_end_early(self, side: SimulatedSide) -> bool:
        """A protocol without RESET tells an abort as an end, or its peer takes silence for one."""
        machine = side.machine
        return machine is None or (
            machine.traits.end_signal is EndSignal.NONE
            or (machine.error is not None and machine.traits.abort_signal is AbortSignal.FIN)
        )

    def _may_stay_silent(self, side: SimulatedSide, peer: SimulatedSide) -> bool:
        """The peer died, cannot tell an end, or failed before anything of it arrived here."""
        machine = peer.machine
        return (
            peer.is_dead
            or machine is None
            or machine.traits.end_signal is EndSignal.NONE
            or (side.machine is None and machine.error is not None)
        )

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            raise SimulationFailure(
                f"seed {self.seed}: {what} (at {self.agenda.now:.3f} s)\n{self.plan}"
            )


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
