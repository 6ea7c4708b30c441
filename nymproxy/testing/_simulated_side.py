"""One side of a simulated pair: its table, its one channel, its application and its lane."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import ClientDisconnected, DeliveryAbandoned, NymError, ResetCode
from nymproxy.testing._simulated_link import Fate, SimulatedFaults, SimulatedLink, VirtualClock
from nymproxy.testing._simulated_plan import SideResult, Workload

if TYPE_CHECKING:
    from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
    from nymproxy.channel.protocol import ChannelProtocol
    from nymproxy.channel.table import ChannelKey, Listener

_BACKLOG_SECONDS = 0.5  # a lane takes no more than this ahead of the schedule
PEER = NymAddress(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    bytes(32),
    NodeIdentity(bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")),
)
_TAG = SenderTag(bytes(range(16)))


class SimulatedSide:
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
        self.peer: SimulatedSide
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
            self.table.remove(self.key, PEER, self.clock.now)

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

    def _send(self, outgoing: OutgoingSegment) -> None:
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

    def _schedule_deliveries(self, outgoing: OutgoingSegment, fate: Fate) -> None:
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
        self, outgoing: OutgoingSegment, is_acknowledged: bool, error: NymError | None
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
