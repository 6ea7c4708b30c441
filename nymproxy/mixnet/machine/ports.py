"""What the client machine needs from below: somebody who makes packets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from nymproxy.address import NodeIdentity, NymAddress
    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.messages import MixPacket, ReplySurb
    from nymproxy.mixnet.sphinx import NodeAddress
    from nymproxy.mixnet.traffic import Mix, OutgoingFragment


class BuiltPacket(NamedTuple):
    """A packet ready to leave.

    Attributes:
        packet: the packet.
        expected_seconds: how long it and its ack will be held back on their way, as far as we drew
            the delays: their ack cannot come earlier.
        mixes: which both pass, as far as they are known.
    """

    packet: MixPacket
    expected_seconds: float
    mixes: tuple[Mix, ...] = ()


class PacketMaker(Protocol):
    """Makes packets from the present topology. :class:`~nymproxy.mixnet.machine.PacketBuilder`
    makes real ones; the pretended networks of ``nymproxy.testing`` have makers of their own."""

    @property
    def topology(self) -> Topology:
        """The present topology.

        Raises:
            TopologyUnavailable: there is none.
        """
        ...

    @property
    def has_topology(self) -> bool:
        """True while packets can be built."""
        ...

    @property
    def wants_headers(self) -> bool:
        """True when :meth:`prepare_some` has something to do."""
        ...

    def use_topology(self, topology: Topology | None) -> None:
        """Build from this topology from now on."""
        ...

    def avoid(self, mixes: frozenset[NodeAddress]) -> None:
        """Make no route through these from now on."""
        ...

    def check_gateway(self, gateway: NodeIdentity) -> None:
        """Make sure that messages can be sent to clients of a gateway.

        Raises:
            UnknownGateway: it is not in the topology.
            TopologyUnavailable: there is no topology.
        """
        ...

    def build(self, fragment: OutgoingFragment) -> BuiltPacket:
        """Build the packet that carries a fragment.

        Raises:
            TopologyUnavailable, UnknownGateway: there is no route now.
            SphinxError: a node of the route, or the SURB, cannot be used.
            AddressError: nothing can be encrypted to the recipient.
        """
        ...

    def build_cover(self, to: NymAddress | None = None) -> MixPacket:
        """Build a packet to ourselves, or to somebody else, that looks like any other and that the
        recipient drops. Raises as :meth:`build`."""
        ...

    def create_surb(self, topology: Topology) -> ReplySurb:
        """Make a reply SURB to ourselves from a topology. Raises as :meth:`build`."""
        ...

    def prepare_some(self) -> None:
        """Do a small piece of work ahead, in idle time."""
        ...
