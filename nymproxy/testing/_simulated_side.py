"""One side of a simulated pair: its client, its table, its one channel and its application."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nymproxy.channel.fate import Fate
from nymproxy.channel.protocol import AbortSignal
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import ClientDisconnected, NymError, ResetCode
from nymproxy.mixnet.records import DEFAULT_LANE
from nymproxy.testing._pretended_client import PretendedClient, pretended_profile
from nymproxy.testing._simulated_plan import SideResult, SimulatedFaults, Workload

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.listening import Listener
    from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
    from nymproxy.channel.protocol import ChannelProtocol
    from nymproxy.channel.segment import ChannelKey
    from nymproxy.mixnet.machine import Submission
    from nymproxy.mixnet.records import DeliveryRecord
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.testing._pretended_mixnet import PretendedMixnet

_LANE = DEFAULT_LANE + 1


def _profile(faults: SimulatedFaults) -> TrafficProfile:
    return replace(pretended_profile(), maximum_retransmissions=faults.attempts - 1)


class SimulatedSide:
    """One client: its machine, its table, its one channel, and its application.

    Args:
        name: of which its keys are made.
        network: where it is.
        protocol: of the channel.
        workload: what the application does.
        faults: of the way from it.
        profile: shapes its traffic; ``None``: packets leave evenly spaced, at the rate of
            ``faults``.
    """

    def __init__(
        self,
        name: str,
        network: PretendedMixnet,
        protocol: ChannelProtocol,
        workload: Workload,
        faults: SimulatedFaults,
        profile: TrafficProfile | None = None,
    ) -> None:
        self.name = name
        self.agenda = network.agenda
        self.protocol = protocol
        self.workload = workload
        self.faults = faults
        self.random = random.Random(f"{network.seed}/{name}")
        self.client = PretendedClient(
            name,
            network,
            profile or _profile(faults),
            packet_rate=None if profile else faults.packet_rate,
            on_pumped=self._read_client,
        )
        self.table = ChannelTable([protocol], random_bytes=self.random.randbytes)
        self.key: ChannelKey | None = None
        self.machine: ChannelMachine | None = None
        self.listener: Listener | None = None
        self.written = bytearray()
        self.received = bytearray()
        self.saw_end = False
        self.is_accepted = False
        self.messages = 0
        self.ended_at: float | None = None
        self._peer: NymAddress | SenderTag | None = None
        self._ticks_at = math.inf
        self._is_sending = False
        self._is_reading = False
        self._has_failed = False
        for start, end in faults.outages:
            self.agenda.at(start, self.client.disconnect)
            self.agenda.at(end, self.client.reconnect)

    @property
    def address(self) -> NymAddress:
        """Where the other side finds it."""
        return self.client.machine.address

    @property
    def is_dead(self) -> bool:
        """True when its client has ended, as planned."""
        return self.client.machine.ended is not None

    # The application.

    def listen(self) -> None:
        """Wait for a channel."""
        self.listener = self.table.listen(self.protocol, 16, self.agenda.now)

    def dial(self, to: NymAddress) -> None:
        """Open the channel."""
        self.key, self.machine = self.table.open(self.protocol, to, self.agenda.now)
        self._peer = to
        self.begin()

    def begin(self) -> None:
        """Start the application on the channel."""
        self.is_accepted = True
        self.agenda.after(self.workload.starts_after, self._write)
        if self.workload.dies_at is not None:
            self.agenda.at(self.workload.dies_at, self._die)
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
        self.agenda.after(pause if size else max(pause, 0.01), self._write)

    def _read(self) -> None:
        self._is_reading = False
        machine = self.machine
        if machine is None or self.is_dead:
            return
        if machine.is_readable:
            self.received += machine.inbound.read(self.random.randint(1, self.workload.read_size))
        self.changed()

    def _die(self) -> None:
        self.client.end(ClientDisconnected("as planned"))
        if self.machine is not None:
            self.machine.transport_failed(ClientDisconnected("as planned"))
            self.changed()

    # The channel.

    def changed(self) -> None:
        """Do what the application and the transport do after any event."""
        machine = self.machine
        if machine is None:
            return
        if machine.error is not None and not self._has_failed:
            self._has_failed = True
            if machine.traits.abort_signal is not AbortSignal.FIN:
                self.client.machine.discard_lane(_LANE)
        self._send_what_is_due()
        if machine.is_readable and self.is_accepted and not self._is_reading:
            self._is_reading = True
            self.agenda.after(self.random.uniform(0, self.workload.read_pause), self._read)
        if machine.is_at_end and not machine.is_cut_short:
            self.saw_end = True
        deadline = machine.next_deadline(self.agenda.now)
        if deadline < self._ticks_at:
            self._ticks_at = deadline
            self.agenda.at(deadline, self._tick)
        if machine.is_over and self.key in self.table.channels:
            self.ended_at = self.agenda.now
            assert self._peer is not None
            self.table.remove(self.key, self._peer, self.agenda.now)

    def _tick(self) -> None:
        self._ticks_at = math.inf
        if self.machine is not None and not self.is_dead:
            self.machine.tick(self.agenda.now)
            self.changed()

    def _send_what_is_due(self) -> None:
        """Give messages to the client, one after another; each waits for room in the lane."""
        assert self.machine is not None
        while not self._is_sending and not self.is_dead:
            outgoing = self.machine.next_outgoing(self.agenda.now)
            if outgoing is None:
                break
            self._send(outgoing)
        self.client.pump()

    def _send(self, outgoing: OutgoingSegment) -> None:
        machine, client = self.machine, self.client.machine
        assert machine is not None
        assert self._peer is not None
        payload = self.protocol.codec.encode(outgoing.segment)
        surbs = outgoing.surbs if self.listener is None else 0
        now = self.agenda.now
        try:
            submission = client.submit(self._peer, payload, surbs=surbs, lane=_LANE, now=now)
            while not submission.is_made:
                client.advance(submission, now)
        except NymError as error:
            machine.transport_failed(error)
            return
        self._is_sending = True
        if submission.is_settled:
            self._handed_over(outgoing, submission)
        else:
            submission.on_settled = partial(self._settled_later, outgoing, submission)

    def _settled_later(self, outgoing: OutgoingSegment, submission: Submission) -> None:
        """Go on when the client has done what it is at."""
        self.agenda.after(0, partial(self._handed_over, outgoing, submission))
        self.agenda.after(0, self.changed)

    def _handed_over(self, outgoing: OutgoingSegment, submission: Submission) -> None:
        assert self.machine is not None
        self._is_sending = False
        self.client.machine.forget(submission)
        if submission.error is not None:
            self.machine.transport_failed(submission.error)
            return
        self.messages += 1
        delivery = submission.delivery
        self.machine.handed_over(outgoing, delivery.packet_count, self.agenda.now)
        listener = partial(self._delivery_changed, outgoing)
        if not delivery.is_settled:
            delivery.subscribe(listener)
        listener(delivery)

    def _delivery_changed(self, outgoing: OutgoingSegment, record: DeliveryRecord) -> None:
        assert self.machine is not None
        fate = Fate(record.is_sent, record.is_acknowledged, record.error)
        self.machine.delivery_changed(outgoing, fate, self.agenda.now)
        self.agenda.after(0, self.changed)

    def _read_client(self) -> None:
        """Take the messages that arrived."""
        inbox = self.client.machine.inbox
        while not self.is_dead and (message := inbox.take()) is not None:
            now = self.agenda.now
            key = self.table.message_received(message.payload, message.sender_tag, now)
            if key is not None and self.machine is None:
                self.key, self.machine, self._peer = key, self.table.channels[key], key.tag
            self.changed()

    def result(self) -> SideResult:
        """Return how it ended."""
        return SideResult(
            written=len(self.written),
            received=len(self.received),
            saw_end=self.saw_end,
            error=None if self.machine is None else self.machine.error,
            messages=self.messages,
            ended_at=self.agenda.now if self.ended_at is None else self.ended_at,
        )
