"""A mixnet that is pretended: packets take time, get lost, come twice, late or altered, and wait at
gateways that may lose what they hold. Everything random comes from one seeded source."""

from __future__ import annotations

import hashlib
import random
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from nacl.signing import SigningKey

from nymproxy.address import NodeIdentity, NymAddress
from nymproxy.mixnet.directory import Node, Topology
from nymproxy.mixnet.directory.bodies import RewardedSet
from nymproxy.mixnet.sphinx import NodeAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.testing._agenda import Agenda
    from nymproxy.testing._pretended_packets import PretendedPacket

MAILBOX_PACKETS: Final = 100_000


@dataclass(frozen=True, slots=True)
class PacketFaults:
    """What happens to packets on their way. Times in seconds, chances from 0 to 1.

    Attributes:
        delay: shortest and longest time of a packet on its way, beside what its sender wished;
            the difference reorders.
        ack_delay: of an ack.
        loss: chance of each packet to be lost.
        ack_loss: of each ack.
        duplication: chance of a packet to come a second time.
        reordering: chance of a packet to be held back by ``reordering_seconds``.
        reordering_seconds: how long.
        corruption: chance that the recipient's gateway flips a bit of what it pushes.
        swallowing: chance that the recipient's gateway acks a packet and then loses it.
    """

    delay: tuple[float, float] = (0.0, 0.0)
    ack_delay: tuple[float, float] = (0.0, 0.0)
    loss: float = 0.0
    ack_loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    reordering_seconds: float = 0.0
    corruption: float = 0.0
    swallowing: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a plan decides about the packets of one message, whatever the chances say."""

    is_lost: bool = False
    is_swallowed: bool = False


class Mailbox:
    """What waits at a gateway for one client. Full, it drops the packets that come, unacked.

    Attributes:
        is_connected: the client's link works; what comes meanwhile waits.
    """

    def __init__(self, push: Callable[[bytes, object], None], capacity: int) -> None:
        self._push = push
        self._waiting: deque[tuple[bytes, object]] = deque()
        self._capacity = capacity
        self.is_connected = True
        self.is_read = True
        self._is_abandoned = False

    def abandon(self) -> None:
        """The client never comes back. The gateway does not know, and acks what comes for it."""
        self._is_abandoned = True
        self._waiting.clear()

    def take(self, pushed: bytes, note: object) -> bool:
        """Push something to the client, now or later; False if there is no room."""
        if self._is_abandoned:
            return True
        if self.is_connected and self.is_read and not self._waiting:
            self._push(pushed, note)
            return True
        if len(self._waiting) >= self._capacity:
            return False
        self._waiting.append((pushed, note))
        return True

    def flush(self) -> None:
        """Push what waits, as far as the client reads."""
        while self._waiting and self.is_connected and self.is_read:
            self._push(*self._waiting.popleft())


class PretendedMixnet:
    """Carries packets between clients.

    Args:
        agenda: what happens when.
        seed: of everything random, keys included.
        faults_of: returns the faults of the packets that a client sends, by its identity key.
        verdict_of: what a plan decides about a packet's message, by the packet's note.
        mailbox_packets: what may wait for a client at its gateway.
    """

    def __init__(
        self,
        agenda: Agenda,
        seed: object,
        faults_of: Callable[[bytes], PacketFaults],
        verdict_of: Callable[[object], Verdict] | None = None,
        mailbox_packets: int = MAILBOX_PACKETS,
    ) -> None:
        self.agenda = agenda
        self.seed = seed
        self.rotation_id = self.oldest_rotation_id = 2
        self.random = random.Random(f"{seed}/network")
        self.gateway = NodeIdentity(self.ed25519_public("gateway"))
        self.topology = self._make_topology()
        self._faults_of = faults_of
        self._verdict_of = verdict_of
        self._mailbox_packets = mailbox_packets
        self._mailboxes: dict[bytes, Mailbox] = {}

    # Names.

    def derive(self, label: str) -> bytes:
        """Return 32 bytes that depend on the seed and the label."""
        return hashlib.sha256(f"{self.seed}/{label}".encode()).digest()

    def ed25519_public(self, label: str) -> bytes:
        """Return the public key of a label."""
        return bytes(SigningKey(self.derive(label)).verify_key)

    def address_of(self, name: str) -> NymAddress:
        """Return the address of a client: it depends on the seed and the name only."""
        identity = self.ed25519_public(f"identity/{name}")
        return NymAddress(identity, self.derive(f"x/{name}"), self.gateway)

    # Clients.

    def join(self, identity: bytes, push: Callable[[bytes, object], None]) -> Mailbox:
        """Open the mailbox of a client."""
        mailbox = self._mailboxes[identity] = Mailbox(push, self._mailbox_packets)
        return mailbox

    # Packets.

    def rotate(self) -> Topology:
        """Begin the next key rotation; packets of the one before still pass."""
        self.oldest_rotation_id = self.rotation_id
        self.rotation_id += 1
        self.topology = self._make_topology()
        return self.topology

    def end_overlap(self) -> None:
        """Let packets of the rotation before pass no more."""
        self.oldest_rotation_id = self.rotation_id

    def carry(self, packet: MixPacket) -> None:
        """Take a packet from a client."""
        packet = cast("PretendedPacket", packet)
        faults = self._faults_of(packet.sender)
        verdict = Verdict()
        if self._verdict_of is not None and packet.note is not None:
            verdict = self._verdict_of(packet.note)
        chance = self.random.random
        if chance() < faults.loss or verdict.is_lost:
            return
        self._send_off(packet, faults, verdict)
        if faults.duplication and chance() < faults.duplication:
            self._send_off(packet, faults, verdict)

    def _send_off(self, packet: PretendedPacket, faults: PacketFaults, verdict: Verdict) -> None:
        delay = packet.delay_seconds + self.random.uniform(*faults.delay)
        if faults.reordering and self.random.random() < faults.reordering:
            delay += faults.reordering_seconds
        self.agenda.after(delay, partial(self._arrive, packet, faults, verdict))

    def _arrive(self, packet: PretendedPacket, faults: PacketFaults, verdict: Verdict) -> None:
        """Let the recipient's gateway have a packet: it acks what it has queued."""
        mailbox = self._mailboxes.get(packet.recipient)
        if mailbox is None or packet.rotation_id < self.oldest_rotation_id:
            return
        chance = self.random.random
        is_swallowed = verdict.is_swallowed or (
            faults.swallowing > 0 and chance() < faults.swallowing
        )
        pushed = packet.pushed
        if faults.corruption and chance() < faults.corruption:
            pushed = self._corrupted(pushed)
        if not is_swallowed and not mailbox.take(pushed, packet.note):
            return
        if faults.ack_loss and chance() < faults.ack_loss:
            return
        delay = packet.ack_delay_seconds + self.random.uniform(*faults.ack_delay)
        self.agenda.after(delay, partial(self._return_ack, packet))

    def _return_ack(self, packet: PretendedPacket) -> None:
        mailbox = self._mailboxes.get(packet.sender)
        if mailbox is not None:
            mailbox.take(packet.ack, None)

    def _corrupted(self, pushed: bytes) -> bytes:
        altered = bytearray(pushed)
        altered[self.random.randrange(32, len(altered))] ^= 1 << self.random.randrange(8)
        return bytes(altered)

    def _make_topology(self) -> Topology:
        nodes = {}
        for number in range(1, 5):
            is_gateway = number == 4
            identity = (
                self.gateway if is_gateway else NodeIdentity(self.ed25519_public(f"mix/{number}"))
            )
            sphinx = self.derive(f"sphinx/{number}/{self.rotation_id}")
            nodes[number] = Node(
                number, identity, sphinx, NodeAddress.parse("127.0.0.1", 1000 + number)
            )
        roles = RewardedSet(1, (4,), (4,), ((1,), (2,), (3,)), ())
        return Topology(self.rotation_id, self.rotation_id, roles, nodes)
