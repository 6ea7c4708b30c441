"""Packets without cryptography: the real messages, fragments and reply SURBs in plain sight.

What :class:`~nymproxy.mixnet.machine.PacketBuilder` makes takes half a millisecond of arithmetic;
these packets carry the same fragments, are recognised by the same reply keys, and cost nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import MessageFormatError, TopologyUnavailable, UsageError
from nymproxy.mixnet.machine import BuiltPacket
from nymproxy.mixnet.messages import (
    COVER_FRAGMENT_ID,
    FragmentId,
    MixPacket,
    OpenedPacket,
    ReplySurb,
)
from nymproxy.mixnet.messages.cover import COVER_MARKER
from nymproxy.mixnet.randomness import RandomBytes, exponential_seconds
from nymproxy.mixnet.sphinx import NodeAddress
from nymproxy.mixnet.sphinx.surb import Surb

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.messages import ReplyKeyStore
    from nymproxy.mixnet.traffic import OutgoingFragment, TrafficProfile

FIRST_HOP = NodeAddress.parse("127.0.0.1", 1)
_HOPS = 3
_LABEL = struct.Struct(">QQ")
_NO_KEY = bytes(32)
_HEADER_LENGTH = 348
_SEEDS = (bytes(16),) * 4
_FIRST_HOP_FIELD = FIRST_HOP.pad(32)
_ACK_LENGTH = 21


@dataclass(frozen=True, slots=True)
class PretendedPacket(MixPacket):
    """A packet that says where it goes.

    Attributes:
        sender: the identity key of the client that sent it, which gets the ack.
        recipient: the identity key of the client that it is for.
        rotation_id: the key rotation that it was made for.
        pushed: what the recipient's gateway pushes: 32 bytes of key material, then the content.
        ack: what the sender's gateway pushes when the recipient's gateway has it.
        delay_seconds: for how long the mixes hold it back, as its sender wished.
        ack_delay_seconds: the same for the ack.
        note: what the network wants to know about it.
    """

    sender: bytes = b""
    recipient: bytes = b""
    rotation_id: int = 0
    pushed: bytes = field(default=b"", repr=False)
    ack: bytes = field(default=b"", repr=False)
    delay_seconds: float = 0.0
    ack_delay_seconds: float = 0.0
    note: object = None


class PretendedMaker:
    """Makes the packets of one client; a :class:`~nymproxy.mixnet.machine.PacketMaker`.

    Args:
        address: the client's own.
        topology: to begin with.
        profile: how long packets and acks are held back.
        random_bytes: source of reply keys and delays.
        note_of: returns the note for the packets of a message.
    """

    wants_headers = False

    def __init__(
        self,
        address: NymAddress,
        topology: Topology,
        profile: TrafficProfile,
        random_bytes: RandomBytes,
        note_of: Callable[[OutgoingFragment], object],
    ) -> None:
        self._address = address
        self._topology: Topology | None = topology
        self._profile = profile
        self._random = random_bytes
        self._note_of = note_of

    @property
    def topology(self) -> Topology:
        """See :class:`~nymproxy.mixnet.machine.PacketMaker`, as for all that follows."""
        if self._topology is None:
            raise TopologyUnavailable("there is no usable topology now; it is fetched again")
        return self._topology

    @property
    def has_topology(self) -> bool:
        """True while packets can be built."""
        return self._topology is not None

    def use_topology(self, topology: Topology | None) -> None:
        """Build from this topology from now on."""
        self._topology = topology

    def avoid(self, mixes: frozenset[NodeAddress]) -> None:
        """There are no mixes."""

    def check_gateway(self, gateway: NodeIdentity) -> None:
        """Make sure that messages can be sent to clients of a gateway."""
        self.topology.egress(gateway)

    def build(self, fragment: OutgoingFragment) -> BuiltPacket:
        """Build the packet that carries a fragment."""
        to, surb = fragment.message.to, fragment.surb
        topology = self.topology
        if surb is not None:
            recipient, rotation_id, delay = _read_surb(surb)
            expected = 0.0
            key_material = surb.key_digest
        elif isinstance(to, SenderTag):
            raise UsageError("a fragment to a sender tag needs a reply SURB")
        else:
            topology.egress(to.gateway)
            recipient, rotation_id, key_material = to.identity, topology.rotation_id, _NO_KEY
            expected = delay = self._delay(self._profile.packet_delay_seconds)
        ack_delay = self._delay(self._profile.ack_delay_seconds)
        packet = PretendedPacket(
            FIRST_HOP,
            topology.rotation,
            b"",
            sender=self._address.identity,
            recipient=recipient,
            rotation_id=rotation_id,
            pushed=key_material + fragment.data,
            ack=_ack(fragment.fragment_id),
            delay_seconds=delay,
            ack_delay_seconds=ack_delay,
            note=self._note_of(fragment),
        )
        return BuiltPacket(packet, expected + ack_delay)

    def build_cover(self, to: NymAddress | None = None) -> MixPacket:
        """Build a packet to ourselves, or to somebody else, that the recipient drops."""
        topology = self.topology
        own = self._address.identity
        return PretendedPacket(
            FIRST_HOP,
            topology.rotation,
            b"",
            sender=own,
            recipient=own if to is None else to.identity,
            rotation_id=topology.rotation_id,
            pushed=_NO_KEY + COVER_MARKER,
            ack=_ack(COVER_FRAGMENT_ID),
            delay_seconds=self._delay(self._profile.packet_delay_seconds),
            ack_delay_seconds=self._delay(self._profile.ack_delay_seconds),
        )

    def create_surb(self, topology: Topology) -> ReplySurb:
        """Make a reply SURB to ourselves."""
        delay_ns = round(self._delay(self._profile.packet_delay_seconds) * 1e9)
        label = self._address.identity + _LABEL.pack(topology.rotation_id, delay_ns)
        surb = Surb(label.ljust(_HEADER_LENGTH, b"\0"), _FIRST_HOP_FIELD, _SEEDS)
        return ReplySurb(self._random(16), surb, topology.rotation)

    def prepare_some(self) -> None:
        """Nothing can be done ahead."""

    def _delay(self, mean_seconds: float) -> float:
        """Draw the delay of a whole route, an exponential one at each mix."""
        if not mean_seconds:
            return 0.0
        return sum(exponential_seconds(self._random, mean_seconds) for _ in range(_HOPS))


class PretendedOpener:
    """Takes nothing off but the reply keys, each of which serves once."""

    def __init__(self, reply_keys: ReplyKeyStore) -> None:
        self._reply_keys = reply_keys

    def open_ack(self, pushed: bytes) -> FragmentId | None:
        """See :class:`~nymproxy.mixnet.messages.Opener`, as for the other method."""
        identifier = FragmentId(pushed[-len(COVER_FRAGMENT_ID) :])
        return None if identifier == COVER_FRAGMENT_ID else identifier

    def open_packet(self, pushed: bytes, now: float) -> OpenedPacket:
        """Return the content, if it is for our address or under a reply key of ours."""
        key_material, content = pushed[:32], pushed[32:]
        if key_material == _NO_KEY:
            return OpenedPacket(content, None)
        given = self._reply_keys.take(key_material, now)
        if given is None:
            raise MessageFormatError("a reply under a key that we do not have")
        return OpenedPacket(content, given.given_to)


def _ack(fragment_id: bytes) -> bytes:
    return bytes(fragment_id).rjust(_ACK_LENGTH, b"\0")


def _read_surb(surb: ReplySurb) -> tuple[bytes, int, float]:
    """Return whom it leads to, the key rotation that it was made for, and its delay in seconds."""
    header = surb.surb.header
    rotation_id, delay_ns = _LABEL.unpack_from(header, 32)
    return header[:32], rotation_id, delay_ns / 1e9
