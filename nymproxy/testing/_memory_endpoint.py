"""One endpoint of a :class:`~nymproxy.testing.memory.MemoryNetwork`: a real client machine, and
the waiting around it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

from nymproxy._signal import Signal
from nymproxy.errors import GatewayUnreachable, UsageError
from nymproxy.mixnet.client.shell import MachineShell
from nymproxy.mixnet.transport import DEFAULT_LANE
from nymproxy.testing._memory_model import MemoryMessage
from nymproxy.testing._pretended_client import PretendedClient

if TYPE_CHECKING:
    import random

    from nymproxy._home_loop import HomeLoop
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.records import Received
    from nymproxy.mixnet.traffic import OutgoingFragment, OutgoingMessage, TrafficProfile
    from nymproxy.mixnet.transport import Delivery
    from nymproxy.testing._memory_model import MemoryFaults
    from nymproxy.testing._pretended_mixnet import PretendedMixnet


class Network(Protocol):
    """What an endpoint needs of its network."""

    faults: MemoryFaults
    packet_rate: float | None
    mixnet: PretendedMixnet
    random: random.Random
    home: HomeLoop | None

    def record(self, sender: str, message: OutgoingMessage, payload: bytes) -> MemoryMessage: ...
    def learn_tag(self, tag: SenderTag, name: str) -> None: ...


class MemoryEndpoint(MachineShell):
    """A :class:`~nymproxy.mixnet.transport.MessageTransport` in memory; see ``MemoryNetwork``."""

    def __init__(
        self,
        network: Network,
        name: str,
        profile: TrafficProfile,
        memory: MemoryAccount | None = None,
    ) -> None:
        self.name = name
        self._network = network
        self._records: dict[OutgoingMessage, MemoryMessage] = {}
        self._resumed = Signal()
        self._client = PretendedClient(
            name,
            network.mixnet,
            profile,
            packet_rate=network.packet_rate,
            note_of=self._note_of,
            on_delivered=self._delivered,
            on_pumped=self._pumped,
            memory=memory,
        )
        super().__init__(self._client.machine, anyio.current_time)

    @property
    def packet_rate(self) -> float | None:
        """Packets a second that the schedule lets out, or ``None``."""
        return self._network.packet_rate

    @property
    def is_connected(self) -> bool:
        """False between :meth:`disconnect` and :meth:`reconnect`, and at the end."""
        return self._client.is_connected and not self.is_closed

    @property
    def is_closed(self) -> bool:
        """True after :meth:`aclose` or :meth:`lose_gateway`."""
        return self._machine.ended is not None

    async def aclose(self) -> None:
        """Close at once: what is still queued fails with ``DeliveryAbandoned``. Idempotent."""
        self.close()
        await anyio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close, as :meth:`aclose` does."""
        self._client.end(None)

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
        any_surb: bool = False,
    ) -> Delivery:
        """Accept one message. Raises as :meth:`MachineShell.send`."""
        self._check_running()
        await anyio.lowlevel.checkpoint()
        while self.is_suspended:
            await self._resumed.wait()
        now = anyio.current_time()
        submission = self._machine.submit(
            to, payload, surbs=surbs, lane=lane, now=now, any_surb=any_surb
        )
        while not submission.is_made:
            self._machine.advance(submission, now)
        self._record_of(submission.message, bytes(payload))
        return await self._submit(submission)

    def check_loop(self) -> None:
        """Refuse calls outside of the network's ``async with``: nothing would ever arrive.

        Raises:
            UsageError: it was not entered, or in another event loop.
        """
        if self._network.home is None:
            raise UsageError("enter the network first: async with MemoryNetwork() as network")
        self._network.home.check()

    # Faults by hand.

    def disconnect(self) -> None:
        """Cut the link to the gateway: nothing leaves and nothing comes until :meth:`reconnect`."""
        self._client.disconnect()

    def reconnect(self) -> None:
        """Restore the link; what waited at the gateway comes in."""
        self._client.reconnect()

    @property
    def is_suspended(self) -> bool:
        """True between :meth:`suspend` and :meth:`resume`."""
        return self._client.is_suspended

    def suspend(self) -> None:
        """Let the client stand still, as a process that is stopped: nothing is sent, read, or done
        in time, until :meth:`resume`. Its link stays, and what comes waits at the gateway."""
        self._client.suspend()

    def resume(self) -> None:
        """Let it go on. First it does what was due long ago, then it reads what waited."""
        self._client.resume()
        self._resumed.set()

    def learn_rotation(self, overlap_seconds: float) -> None:
        """Make packets for the network's present key rotation from now on.

        Args:
            overlap_seconds: how long nodes keep the keys of the rotation before.
        """
        self._client.use_topology(self._network.mixnet.topology, overlap_seconds)

    def lose_gateway(self) -> None:
        """Lose the gateway for good, as a client that is refused by it again and again."""
        self._client.end(GatewayUnreachable(f"the gateway of {self.name} is gone"))

    # The machine's surroundings.

    async def next_message(self) -> Received:
        """Take the next message. Raises as :meth:`MachineShell.next_message`."""
        message = await super().next_message()
        self._client.pump()  # the machine may have stopped reading
        return message

    def _changed(self) -> None:
        self._client.pump()

    def _pumped(self) -> None:
        super()._changed()

    def _note_of(self, fragment: OutgoingFragment) -> MemoryMessage:
        """Return the record of a message whose packet leaves."""
        record = self._record_of(fragment.message, b"")
        record.retransmissions += fragment.retransmissions > 0
        return record

    def _record_of(self, message: OutgoingMessage, payload: bytes) -> MemoryMessage:
        record = self._records.get(message)
        if record is None:
            record = self._records[message] = self._network.record(self.name, message, payload)
            message.delivery.subscribe(partial(self._delivery_changed, message, record))
        return record

    def _delivery_changed(
        self, message: OutgoingMessage, record: MemoryMessage, _delivery: object
    ) -> None:
        if message.delivery.is_sent and record.sent_at is None:
            record.sent_at = anyio.current_time()
        if message.delivery.is_settled:
            self._records.pop(message, None)

    def _delivered(self, note: object) -> None:
        """Take note of a message that is complete; hand it over again later, if it is to come
        twice."""
        assert isinstance(note, MemoryMessage)
        received = self._machine.inbox.newest
        note.delivered_at.append(anyio.current_time())
        if received is None:
            return
        if received.sender_tag is not None:
            self._network.learn_tag(received.sender_tag, note.sender)
        faults, source = self._network.faults, self._network.random
        if faults.duplication and source.random() < faults.duplication:
            seconds = source.uniform(*faults.of_packets().delay)
            again = partial(self._deliver_again, note, received)
            self._network.mixnet.agenda.after(seconds, again)

    def _deliver_again(self, record: MemoryMessage, received: Received) -> None:
        if not self.is_closed:
            record.delivered_at.append(anyio.current_time())
            self._machine.inbox.put(received)
            self._client.pump()
