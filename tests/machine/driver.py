"""Client machines driven by hand: no network, and a clock that only the test moves.

Packets are those of ``nymproxy.testing``: real messages, fragments and SURBs, without cryptography.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.machine import ClientMachine
from nymproxy.mixnet.messages import InboundDecoder, ReplyKeyStore
from nymproxy.mixnet.traffic import BARE, WindowLimits
from nymproxy.testing._agenda import VirtualAgenda
from nymproxy.testing._pretended_mixnet import PacketFaults, PretendedMixnet
from nymproxy.testing._pretended_packets import PretendedMaker, PretendedOpener, PretendedPacket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.machine import BuiltPacket, Submission
    from nymproxy.mixnet.messages import MixPacket, ReplySurb
    from nymproxy.mixnet.records import Received
    from nymproxy.mixnet.traffic import Lane, OutgoingFragment, TrafficProfile

OPEN = replace(
    BARE,
    name="open",
    header_pool_size=0,
    window=WindowLimits(initial=1000, minimum=1000, maximum=1000),
)
"""No schedule, and a window that never closes."""


class FailingMaker(PretendedMaker):
    """A maker that fails on demand, and counts the headers that it was asked to prepare."""

    error: Exception | None = None
    wanted_headers = 0
    prepared_headers = 0

    @property
    def wants_headers(self) -> bool:  # type: ignore[override]
        return self.prepared_headers < self.wanted_headers

    def prepare_some(self) -> None:
        self.prepared_headers += 1

    def build(self, fragment: OutgoingFragment) -> BuiltPacket:
        self._fail()
        return super().build(fragment)

    def build_cover(self, to: NymAddress | None = None) -> MixPacket:
        self._fail()
        return super().build_cover(to)

    def create_surb(self, topology: object) -> ReplySurb:
        self._fail()
        return super().create_surb(topology)  # type: ignore[arg-type]

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class Stage:
    """The clock and the topology that some clients share."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.mixnet = PretendedMixnet(VirtualAgenda(), "stage", lambda _sender: PacketFaults())

    def client(
        self, name: str, profile: TrafficProfile = OPEN, memory: MemoryAccount | None = None
    ) -> HandClient:
        return HandClient(self, name, profile, memory or MemoryAccount())


class HandClient:
    """One machine, and what a driver does with it, a step at a time."""

    def __init__(
        self, stage: Stage, name: str, profile: TrafficProfile, memory: MemoryAccount
    ) -> None:
        self.stage = stage
        random_bytes = random.Random(name).randbytes
        self.address: NymAddress = stage.mixnet.address_of(name)
        self.memory = memory
        self.reply_keys = ReplyKeyStore(memory=memory)
        self.maker = FailingMaker(
            self.address, stage.mixnet.topology, profile, random_bytes, lambda fragment: fragment
        )
        self.machine = ClientMachine(
            self.address,
            self.maker,
            InboundDecoder(PretendedOpener(self.reply_keys), memory=memory),
            self.reply_keys,
            profile,
            random_bytes=random_bytes,
            now=stage.now,
            memory=memory,
        )

    @property
    def outbox(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - the machine's own
        return self.machine._outbox

    def send(
        self,
        to: NymAddress | SenderTag | HandClient,
        payload: bytes = b"x",
        *,
        surbs: int = 0,
        lane: Lane = 0,
    ) -> Submission:
        """Submit a message and make it."""
        to = to.address if isinstance(to, HandClient) else to
        submission = self.machine.submit(to, payload, surbs=surbs, lane=lane, now=self.stage.now)
        while not submission.is_made and submission.error is None:
            self.machine.advance(submission, self.stage.now)
        return submission

    def leave(self, batches: int = 10_000) -> list[PretendedPacket]:
        """Return all packets that leave now."""
        packets: list[PretendedPacket] = []
        machine, now = self.machine, self.stage.now
        while batches and machine.next_departure() <= now:
            batch = machine.next_batch(now)
            machine.batch_left(batch, now)
            packets += cast("list[PretendedPacket]", batch.packets)
            batches -= 1
        return packets

    def hear(self, packets: Iterable[PretendedPacket]) -> None:
        """Let the gateway push what packets carry, as far as they are for this client."""
        for packet in packets:
            if packet.recipient == self.address.identity:
                self.machine.frame_arrived(packet.pushed, self.stage.now)

    def acked(self, packets: Iterable[PretendedPacket]) -> None:
        """Let the gateway push the acks of packets."""
        for packet in packets:
            self.machine.frame_arrived(packet.ack, self.stage.now)

    def tick(self) -> None:
        self.machine.tick(self.stage.now)

    def work(self) -> None:
        """Do all chores."""
        while self.machine.has_chores:
            self.machine.do_chore(self.stage.now)

    def taken(self) -> list[Received]:
        """Take everything from the inbox."""
        messages = []
        while (message := self.machine.inbox.take()) is not None:
            messages.append(message)
        return messages

    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.taken()]


def meet(
    stage: Stage,
    surbs: int,
    profile: TrafficProfile = OPEN,
    memory: MemoryAccount | None = None,
) -> tuple[HandClient, HandClient, SenderTag]:
    """Return a client, a server that it has written to with so many SURBs, and the client's tag."""
    client, server = stage.client("client"), stage.client("server", profile, memory)
    client.send(server, b"hello", surbs=surbs)
    server.hear(client.leave())
    [message] = server.taken()
    assert message.sender_tag is not None
    return client, server, message.sender_tag


def exchange(*clients: HandClient) -> None:
    """Carry packets and acks between clients until nothing leaves any more."""
    is_busy = True
    while is_busy:
        is_busy = False
        for sender in clients:
            sender.work()
            packets = sender.leave()
            is_busy = is_busy or bool(packets)
            for recipient in clients:
                recipient.hear(packets)
            sender.acked(packets)
