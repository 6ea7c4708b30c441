"""The clients of a gateway: who is connected, and what waits for the others.

As in nym-node 1.31.0 an acknowledgement is released when its message was queued for a connected
client, or stored for another one: what is queued when the connection ends is lost, and its sender
does not learn of it. A network may be told to acknowledge after writing instead.

One thing is better than there: a client is listed as connected before its stored messages are
pushed, so that no message falls between.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from nymproxy._signal import Signal
from nymproxy.errors import StorageError
from nymproxy.localnet.client_links import ClientLinks
from nymproxy.localnet.core import SURB_ACK_BYTES, Deliver
from nymproxy.localnet.counters import Direction, DropReason, NodeCounters
from nymproxy.localnet.delayer import Delayer
from nymproxy.localnet.faults import CLIENT_NAME
from nymproxy.localnet.framing import Frame
from nymproxy.localnet.gateway_bandwidth import BandwidthMeter
from nymproxy.localnet.gateway_session import ClientSession
from nymproxy.mixnet.sphinx import PacketSize

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.localnet.fault_gates import FaultGates
    from nymproxy.localnet.gateway_store import GatewayStore
    from nymproxy.localnet.links import Outbox
    from nymproxy.localnet.server_socket import ServerSocket
    from nymproxy.mixnet.gateway import SharedKey
    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.mixnet.randomness import RandomBytes

logger = logging.getLogger("nymproxy.localnet")

STORED_BATCH = 100
_SIZE_OF_LENGTH = {
    size.plaintext_length - (0 if size is PacketSize.ACK else SURB_ACK_BYTES): size
    for size in PacketSize
}
"""The packet size of a stored message, which is kept without it."""


class GatewayClients:
    """All clients of one gateway.

    Args:
        node: the gateway's name.
        store: its state.
        outbox: where packets of clients and acknowledgements go.
        gates: the fault gates of the websockets.
        counters: the gateway's counters.
        unix_time: the wall clock.
        random_bytes: for keys, nonces and pings.
        acks_after_writing: acknowledge what a client's socket has taken, and store the rest when
            it goes.
    """

    def __init__(
        self,
        node: str,
        store: GatewayStore,
        outbox: Outbox,
        gates: FaultGates,
        counters: NodeCounters,
        *,
        unix_time: Callable[[], float],
        random_bytes: RandomBytes,
        acks_after_writing: bool,
    ) -> None:
        self.links = ClientLinks()
        self.counters = counters
        self.meter = BandwidthMeter(store)
        self.unix_time = unix_time
        self.random_bytes = random_bytes
        self._store = store
        self._outbox = outbox
        self._sessions: dict[bytes, ClientSession] = {}
        self._is_stopping = False
        self._session_ended = Signal()
        self._from_client_gate = gates.gate(CLIENT_NAME, node, counters.inject)
        self._to_client_gate = gates.gate(node, CLIENT_NAME, counters.inject)
        self._push_gate = gates.push_gate(node, counters.inject)
        self._late_deliveries: Delayer[list[Deliver]] = Delayer(self._deliver_now)
        self._late_pushes: Delayer[Deliver] = Delayer(self._push_late)
        self._acks_after_writing = acks_after_writing

    @property
    def is_stopping(self) -> bool:
        """Whether no client is admitted any more."""
        return self._is_stopping

    @property
    def connected(self) -> list[str]:
        """The identities (base58) of the clients that are connected and admitted."""
        return [session.name for session in self._sessions.values()]

    async def run(self) -> None:
        """Deliver what a fault plan delays, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._late_deliveries.run)
            tasks.start_soon(self._late_pushes.run)

    # Messages that arrive for clients.

    def deliver(self, batch: list[Deliver]) -> None:
        """Queue messages for the connected clients and store the others', then release acks."""
        gate = self._to_client_gate
        if gate.is_open:
            self._deliver_now(batch)
            return
        for delivery in batch:
            if delivery.destination not in self._sessions:
                self._deliver_now([delivery])
                continue
            now = anyio.current_time()
            for copy, (delay, message) in enumerate(gate.apply(delivery.message, now)):
                # A damaged message is as good as lost, so its sender must send it again.
                keeps_ack = copy == 0 and message == delivery.message
                changed = delivery._replace(
                    message=message, ack=delivery.ack if keeps_ack else None
                )
                if not self._late_deliveries.push(delay, [changed]):
                    self.counters.drop(DropReason.DELAY_QUEUE_FULL)

    def _deliver_now(self, batch: list[Deliver]) -> None:
        offline: list[Deliver] = []
        for delivery in batch:
            session = self._sessions.get(delivery.destination)
            if session is None:
                offline.append(delivery)
            elif self._push_gate.is_open:
                self._queue(session, delivery)
            else:
                self._misbehave(session, delivery)
        if offline:
            self._store_messages(offline)

    def _queue(self, session: ClientSession, delivery: Deliver) -> None:
        if not session.deliver(delivery):
            self.counters.drop(DropReason.CLIENT_QUEUE_FULL)
        elif not self._acks_after_writing:
            self._release_ack(delivery)

    def _misbehave(self, session: ClientSession, delivery: Deliver) -> None:
        """Do what the plan has gateways do to a message, and acknowledge it in any case."""
        for message in self._pushed_now(session, delivery):
            self._queue(session, delivery._replace(message=message, ack=None))
        self._release_ack(delivery)

    def _pushed_now(self, session: ClientSession, delivery: Deliver) -> list[bytes]:
        """Return what the plan leaves of a message; what is replayed later is put aside."""
        if self._push_gate.is_open:
            return [delivery.message]
        size, now = delivery.size.name.lower(), anyio.current_time()
        at_once: list[bytes] = []
        for delay, message in self._push_gate.apply(session.name, size, delivery.message, now):
            if not delay:
                at_once.append(message)
            elif not self._late_pushes.push(delay, delivery._replace(message=message, ack=None)):
                self.counters.drop(DropReason.DELAY_QUEUE_FULL)
        return at_once

    def _push_late(self, delivery: Deliver) -> None:
        session = self._sessions.get(delivery.destination)
        if session is None:
            self.counters.drop(DropReason.CLIENT_GONE)
        else:
            self._queue(session, delivery)

    def _store_messages(self, batch: list[Deliver]) -> None:
        try:
            kept = self._store.store(
                [(item.destination, item.message) for item in batch], self.unix_time()
            )
        except StorageError as error:
            logger.error("%s messages are dropped: %s", len(batch), error)
            kept = [False] * len(batch)
        for delivery, is_kept in zip(batch, kept, strict=True):
            if is_kept:
                self.counters.add(Direction.STORED, delivery.size)
                self._release_ack(delivery)
            else:
                self.counters.drop(DropReason.CLIENT_QUEUE_FULL)

    def message_written(self, delivery: Deliver) -> None:
        """Take note that a client's socket has taken a message."""
        self.counters.add(Direction.PUSHED, delivery.size)
        if self._acks_after_writing:
            self._release_ack(delivery)

    def _release_ack(self, delivery: Deliver) -> None:
        if delivery.ack is not None:
            self.counters.add(Direction.ACKS_RELEASED, PacketSize.ACK)
            self._outbox.send(delivery.ack.next_hop, delivery.ack.frame)

    # Packets of clients, and their state.

    def forward_from_client(self, packet: MixPacket) -> None:
        """Send a client's packet to its first mix, without delay and without looking into it."""
        size = PacketSize.from_packet_length(len(packet.packet))
        self.counters.add(Direction.FROM_CLIENT, size)
        frame = Frame(size, packet.rotation, packet.packet)
        gate = self._from_client_gate
        if gate.is_open:
            self._outbox.send(packet.first_hop.pack(), frame)
            return
        for delay, changed in gate.apply(packet.packet, anyio.current_time()):
            self._outbox.send(packet.first_hop.pack(), frame._replace(packet=changed), delay)

    def forget(self, address: bytes) -> None:
        """Delete everything about a client; its connection may go on."""
        self.meter.forget(address)
        self._store.forget(address)

    def stop(self) -> None:
        """Admit nobody any more, and store nothing more."""
        self._is_stopping = True

    async def say_goodbye(self, timeout_seconds: float) -> None:
        """Send close frames to all clients and wait until they have gone, for a limited time.

        A client that answers the close frame has read everything before it, so nothing that was
        acknowledged is lost.
        """
        self.stop()
        with anyio.move_on_after(timeout_seconds):
            for session in list(self._sessions.values()):
                session.say_goodbye()
            while self._sessions:
                await self._session_ended.wait()

    # Sessions.

    async def attach(
        self, address: bytes, key: SharedKey, socket: ServerSocket, response: str
    ) -> ClientSession:
        """List the client as connected, push what was stored for it, then send the response.

        What arrives from now on waits in the session's outbox, so it follows the stored messages.
        """
        session = ClientSession(address, key, socket, self)
        self._sessions[address] = session
        try:
            while waiting := self._store.waiting(address, STORED_BATCH):
                for _, content in waiting:
                    size = _SIZE_OF_LENGTH.get(len(content), PacketSize.REGULAR)
                    stored = Deliver(address, content, size, None)
                    for message in self._pushed_now(session, stored):
                        socket.send_binary(session.seal_message(message))
                await socket.flush()
                self._store.delete(address, waiting)
                self.counters.event("stored_messages_pushed", len(waiting))
            socket.send_text(response)
            await socket.flush()
        except BaseException:
            self.detach(session)
            raise
        return session

    def session(self, address: bytes) -> ClientSession | None:
        """Return the session of a connected client."""
        return self._sessions.get(address)

    def detach(self, session: ClientSession) -> None:
        """Forget a session, and what it did not write, if that was acknowledged; else store it."""
        if self._sessions.get(session.address) is session:
            del self._sessions[session.address]
        undelivered = session.take_undelivered()
        if not self._acks_after_writing:
            self.counters.drop(DropReason.CLIENT_GONE, len(undelivered))
        elif undelivered and not self._is_stopping:
            self._deliver_now(undelivered)
        self._session_ended.set()
