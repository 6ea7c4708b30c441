"""A real :class:`~nymproxy.mixnet.machine.ClientMachine` on a pretended mixnet, driven by an
agenda."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.machine import ClientMachine, Departures
from nymproxy.mixnet.messages import InboundDecoder, ReplyKeyStore
from nymproxy.mixnet.traffic import BARE, WindowLimits
from nymproxy.testing._pretended_packets import PretendedMaker, PretendedOpener

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.errors import NymError
    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.traffic import OutgoingFragment, TrafficProfile
    from nymproxy.testing._pretended_mixnet import PretendedMixnet


class EvenPacing:
    """So many packets a second, evenly spaced, and no cover: a schedule that tests can follow."""

    def __init__(self, packets_per_second: float) -> None:
        self._interval = 1 / packets_per_second
        self._next = -math.inf

    def next_departure(self, sendable: int) -> float:
        """See :class:`~nymproxy.mixnet.machine.Pacing`, as for the other methods."""
        return self._next if sendable else math.inf

    def due(self, now: float, sendable: int) -> Departures:
        """Return one packet when it is its turn."""
        if not sendable or now < self._next:
            return Departures(0, covered=False, loop_covers=0)
        self._next = max(now, self._next) + self._interval
        return Departures(1, covered=False, loop_covers=0)

    def written(self, now: float, waited_seconds: float) -> None:
        """Nothing slows it down."""


def pretended_profile(name: str = "pretended", *, window_packets: int = 1000) -> TrafficProfile:
    """Return a profile without schedule, whose window stays as it is."""
    window = WindowLimits(initial=window_packets, minimum=window_packets, maximum=window_packets)
    return replace(BARE, name=name, header_pool_size=0, window=window)


class PretendedClient:
    """Moves packets between one machine and the network, and calls it when it wants to be called.

    Call :meth:`pump` after telling the machine something.

    Args:
        name: of which its keys are made.
        network: where it is.
        profile: shapes its traffic.
        packet_rate: packets a second, evenly spaced; ``None``: as the profile says.
        note_of: what goes with the packets of a message, for the network to see.
        on_delivered: called when a packet has completed a message, with the packet's note.
        on_pumped: called at the end of each :meth:`pump`.
        memory: where what others make it keep is charged; by default an account of its own.
    """

    def __init__(
        self,
        name: str,
        network: PretendedMixnet,
        profile: TrafficProfile,
        *,
        packet_rate: float | None = None,
        note_of: Callable[[OutgoingFragment], object] = lambda _fragment: None,
        on_delivered: Callable[[object], None] = lambda _note: None,
        on_pumped: Callable[[], None] = lambda: None,
        memory: MemoryAccount | None = None,
    ) -> None:
        self.name = name
        self.network = network
        self._agenda = network.agenda
        self._on_delivered = on_delivered
        self._on_pumped = on_pumped
        random_bytes = random.Random(f"{network.seed}/client/{name}").randbytes
        address = network.address_of(name)
        memory = MemoryAccount() if memory is None else memory
        reply_keys = ReplyKeyStore(memory=memory)
        self.machine = ClientMachine(
            address,
            PretendedMaker(address, network.topology, profile, random_bytes, note_of),
            InboundDecoder(PretendedOpener(reply_keys), memory=memory),
            reply_keys,
            profile,
            random_bytes=random_bytes,
            now=self._agenda.now,
            pacing=None if packet_rate is None else EvenPacing(packet_rate),
            memory=memory,
        )
        self._mailbox = network.join(address.identity, self._push)
        self._is_pumping = False
        self.is_suspended = False
        """The process stands still."""
        self._wakes_at = math.inf

    @property
    def is_connected(self) -> bool:
        """True while the link to the gateway works."""
        return self._mailbox.is_connected

    def disconnect(self) -> None:
        """Cut the link: nothing leaves, and what comes waits at the gateway."""
        self._mailbox.is_connected = False
        self.machine.link_changed("reconnecting to the gateway", self._agenda.now)
        self.pump()

    def reconnect(self) -> None:
        """Restore the link."""
        self._mailbox.is_connected = True
        self.machine.link_changed(None, self._agenda.now)
        self.pump()

    def suspend(self) -> None:
        """Let the process stand still: the machine is told nothing, and what comes waits."""
        self.is_suspended = True
        self._mailbox.is_connected = False

    def resume(self) -> None:
        """Let it go on: what was due is done, and what came meanwhile is read."""
        self.is_suspended = False
        self._mailbox.is_connected = True
        self.pump()

    def use_topology(self, topology: Topology, overlap_seconds: float) -> None:
        """Give the machine another topology."""
        self.machine.use_topology(topology, overlap_seconds, self._agenda.now)
        self.pump()

    def end(self, cause: NymError | None) -> None:
        """End the machine; nobody reads its mailbox any more."""
        self.machine.end(cause, self._agenda.now)
        self._mailbox.abandon()
        self._on_pumped()

    def pump(self) -> None:
        """Do all that can be done now, and plan the rest."""
        if self.is_suspended:
            return
        if self._is_pumping:  # told something from within: the loop below goes round again
            return
        self._is_pumping = True
        try:
            while self._pump_once():
                pass
        finally:
            self._is_pumping = False
        self._plan()
        self._on_pumped()

    def _pump_once(self) -> bool:
        machine, now = self.machine, self._agenda.now
        if machine.ended is not None:
            return False
        if machine.next_deadline() <= now:
            machine.tick(now)
        while machine.has_chores:
            machine.do_chore(now)
        self._mailbox.is_read = machine.may_read
        (machine.reading_resumed if machine.may_read else machine.reading_paused)(now)
        self._mailbox.flush()
        if not self._mailbox.is_connected or machine.next_departure() > now:
            return False
        batch = machine.next_batch(now)
        for packet in batch.packets:
            self.network.carry(packet)
        machine.batch_left(batch, now)
        return True

    def _plan(self) -> None:
        machine = self.machine
        if machine.ended is not None:
            return
        wakes_at = machine.next_deadline()
        if self._mailbox.is_connected:
            wakes_at = min(wakes_at, machine.next_departure())
        if wakes_at < self._wakes_at:
            self._wakes_at = wakes_at
            self._agenda.at(wakes_at, self._wake)

    def _wake(self) -> None:
        self._wakes_at = math.inf
        self.pump()

    def _push(self, pushed: bytes, note: object) -> None:
        machine = self.machine
        if machine.ended is None:
            before = len(machine.inbox)
            machine.frame_arrived(pushed, self._agenda.now)
            self._mailbox.is_read = machine.may_read
            if len(machine.inbox) > before:
                self._on_delivered(note)
            self.pump()
