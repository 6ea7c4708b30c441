"""From a fragment to a packet ready to leave: route, delays, ack, encryption, Sphinx. No I/O.

The whole path is described in nym-sphinx 1.21.6 (src/preparer/mod.rs). A packet is built when it
leaves, not when its message is accepted: a retransmission or a long message then always uses the
present topology, and a packet and its ack always the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nymproxy.address import SenderTag
from nymproxy.errors import TopologyUnavailable, UsageError
from nymproxy.mixnet.machine.ahead import PreparedAhead
from nymproxy.mixnet.machine.ports import BuiltPacket
from nymproxy.mixnet.messages import (
    COVER_FRAGMENT_ID,
    AckKey,
    CoverKeys,
    FragmentId,
    FragmentKey,
    MixPacket,
    ReplySurb,
    build_ack,
    build_cover_plaintext,
    seal_fragment,
    seal_reply_fragment,
)
from nymproxy.mixnet.randomness import exponential_delays_ns, uniform_fraction
from nymproxy.mixnet.sphinx import (
    HeaderMaterial,
    KeyRotation,
    PreparedHeader,
    build_header,
    build_packet,
)
from nymproxy.mixnet.traffic import Mix

if TYPE_CHECKING:
    from nymproxy.address import NodeIdentity, NymAddress
    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx import Hop, NodeAddress, PacketSize
    from nymproxy.mixnet.traffic import OutgoingFragment, TrafficProfile

_NANOSECOND = 1e-9
_MIX_HOPS = 3


class _Way(NamedTuple):
    """A header and the route that it leads along."""

    header: HeaderMaterial | PreparedHeader
    route: tuple[Hop, ...]

    def prepared(self) -> _Way:
        """Derive the payload keys now."""
        assert isinstance(self.header, HeaderMaterial)
        return _Way(PreparedHeader.from_material(self.header), self.route)

    @property
    def mixes(self) -> tuple[Mix, ...]:
        """The mixes of the route."""
        return tuple([Mix(layer, hop.address) for layer, hop in enumerate(self.route[:_MIX_HOPS])])


class _Start(NamedTuple):
    """What of a packet does not depend on what it carries."""

    way: _Way
    key: FragmentKey


class PacketBuilder:
    """Builds packets, acks, covers and reply SURBs from the present topology.

    Headers and keys do not depend on what they carry, and covers to ourselves carry nothing, so
    some of each are prepared in idle time (:meth:`prepare_some`), many in a row while the code for
    them is at hand, and dropped when the topology changes.

    Args:
        address: our own address.
        ack_key: the key of our acks.
        profile: mean delays, packet sizes and the size of the pool.
        random_bytes: source of routes, delays and keys.
        cover_keys: draws the keys of covers to ourselves.
    """

    def __init__(
        self,
        address: NymAddress,
        ack_key: AckKey,
        profile: TrafficProfile,
        random_bytes: RandomBytes,
        cover_keys: CoverKeys,
    ) -> None:
        self._address = address
        self._ack_key = ack_key
        self._cover_keys = cover_keys
        self._profile = profile
        self._random = random_bytes
        self._topology: Topology | None = None
        self._previous: Topology | None = None
        self._avoided: frozenset[NodeAddress] = frozenset()
        self._routes: Topology | None = None  # the topology without those
        limit = profile.header_pool_size
        self._acks: PreparedAhead[_Way] = PreparedAhead(limit)
        self._starts: PreparedAhead[_Start] = PreparedAhead(limit)
        self._surbs: PreparedAhead[HeaderMaterial] = PreparedAhead(limit)
        self._covers: PreparedAhead[MixPacket] = PreparedAhead(limit)
        self._ahead = (self._acks, self._starts, self._surbs, self._covers)

    @property
    def has_topology(self) -> bool:
        """True while packets can be built."""
        return self._topology is not None

    @property
    def topology(self) -> Topology:
        """The present topology.

        Raises:
            TopologyUnavailable: there is none.
        """
        if self._topology is None:
            raise TopologyUnavailable("there is no usable topology now; it is fetched again")
        return self._topology

    def use_topology(self, topology: Topology | None) -> None:
        """Build from this topology from now on; what was prepared from another one is dropped."""
        if topology == self._topology:
            return
        if self._topology is not None and (
            topology is None or topology.rotation_id != self._topology.rotation_id
        ):
            self._previous = self._topology
        self._topology = topology
        self._begin_anew()

    def avoid(self, mixes: frozenset[NodeAddress]) -> None:
        """Make no route through these from now on."""
        if mixes != self._avoided:
            self._avoided = mixes
            self._begin_anew()

    def _begin_anew(self) -> None:
        topology = self._topology
        self._routes = None if topology is None else topology.without_mixes(self._avoided)
        for ahead in self._ahead:
            ahead.clear()

    def check_gateway(self, gateway: NodeIdentity) -> None:
        """Make sure that messages can be sent to clients of a gateway.

        Raises:
            UnknownGateway: it is not in the topology.
            TopologyUnavailable: there is no topology.
        """
        self.topology.egress(gateway)

    def build(self, fragment: OutgoingFragment) -> BuiltPacket:
        """Build the packet that carries a fragment.

        Raises:
            TopologyUnavailable, UnknownGateway: there is no route now.
            SphinxError: a node of the route, or the SURB, cannot be used.
            AddressError: nothing can be encrypted to the recipient.
        """
        if fragment.surb is not None:
            return self._build_reply(fragment, fragment.surb)
        to = fragment.message.to
        if isinstance(to, SenderTag):
            raise UsageError("a fragment to a sender tag needs a reply SURB")
        ack_way, (way, key) = self._ack_way(), self._start_to(to)
        identifier = FragmentId(fragment.fragment_id)
        ack = build_ack(ack_way.header, self._ack_key, identifier, self._random)
        plaintext = seal_fragment(fragment.data, ack, key)
        packet = build_packet(way.header, plaintext, fragment.size)
        return BuiltPacket(
            MixPacket(way.header.first_hop, way.header.rotation, packet),
            (way.header.delay_ns + ack.delay_ns) * _NANOSECOND,
            way.mixes + ack_way.mixes,
        )

    def build_cover(self, to: NymAddress | None = None) -> MixPacket:
        """Build a packet to ourselves, or to somebody else, that looks like any other and that the
        recipient drops.

        Raises:
            TopologyUnavailable, UnknownGateway, SphinxError, AddressError: as :meth:`build`.
        """
        topology = self.topology
        if to is not None:
            return self._seal_cover(self._start_to(to), self._ack_way())
        cover = self._covers.take("cover", lambda: self._make_cover(self.topology))
        return cover or self._make_cover(topology)

    def create_surb(self, topology: Topology) -> ReplySurb:
        """Make a reply SURB to ourselves from a topology: the same one for all of a message.

        Raises:
            UnknownGateway, TopologyUnavailable, SphinxError: as :meth:`build`.
        """
        delay = self._profile.packet_delay_seconds

        def prepare() -> HeaderMaterial:
            return self._make_header(self.topology, self._address, delay)

        header = self._surbs.take("surb", prepare) if topology is self._topology else None
        return ReplySurb.create(
            header or self._make_header(topology, self._address, delay), self._random
        )

    @property
    def wants_headers(self) -> bool:
        """True when :meth:`prepare_some` has something to do."""
        return self._topology is not None and (
            self._acks.is_wanted
            or self._starts.is_wanted
            or self._surbs.is_wanted
            or self._covers.is_wanted
        )

    def prepare_some(self) -> None:
        """Prepare a few, up to four milliseconds' work, if some are wanted."""
        if self._topology is not None:
            for ahead in self._ahead:
                if ahead.is_wanted:
                    ahead.prepare()
                    break

    # Inside.

    def _make_cover(self, topology: Topology) -> MixPacket:
        """Make a cover to ourselves, out of nothing that others wait for."""
        address, profile = self._address, self._profile
        key = self._cover_keys.draw(self._random)
        start = _Start(self._draw(topology, address, profile.packet_delay_seconds), key)
        ack_way = self._draw(topology, address, profile.ack_delay_seconds)
        return self._seal_cover(start, ack_way)

    def _seal_cover(self, start: _Start, ack_way: _Way) -> MixPacket:
        size, header = self._cover_size(), start.way.header
        ack = build_ack(ack_way.header, self._ack_key, COVER_FRAGMENT_ID, self._random)
        plaintext = build_cover_plaintext(size, ack, start.key)
        return MixPacket(header.first_hop, header.rotation, build_packet(header, plaintext, size))

    def _build_reply(self, fragment: OutgoingFragment, surb: ReplySurb) -> BuiltPacket:
        way = self._reply_ack_way(surb.rotation)
        identifier = FragmentId(fragment.fragment_id)
        ack = build_ack(way.header, self._ack_key, identifier, self._random)
        plaintext = seal_reply_fragment(fragment.data, ack, surb.encryption_key)
        packet = surb.surb.use(plaintext, fragment.size)
        # The delays of the SURB's route are its creator's secret, as are its mixes. Rust guesses
        # them by its own profile; what is guessed too high has acks come before they can.
        known = ack.delay_ns * _NANOSECOND
        return BuiltPacket(MixPacket(surb.first_hop, surb.rotation, packet), known, way.mixes)

    def _reply_ack_way(self, rotation: KeyRotation) -> _Way:
        """Return a way for an ack that travels under the rotation of a received SURB.

        The recipient's gateway sends the ack off under the marker of the packet. After a rotation
        that is the previous one for a while, so such an ack needs the nodes' previous keys.
        """
        if (
            self._previous is not None
            and rotation is self._previous.rotation
            and rotation is not self.topology.rotation
            and rotation is not KeyRotation.UNKNOWN
        ):
            return self._draw(self._previous, self._address, self._profile.ack_delay_seconds)
        return self._ack_way()

    def _ack_way(self) -> _Way:
        topology, delay = self.topology, self._profile.ack_delay_seconds

        def prepare() -> _Way:
            return self._draw(self.topology, self._address, delay).prepared()

        prepared = self._acks.take("ack", prepare)
        return prepared or self._draw(topology, self._address, delay)

    def _start_to(self, recipient: NymAddress) -> _Start:
        topology, delay = self.topology, self._profile.packet_delay_seconds

        def prepare() -> _Start:
            way = self._draw(self.topology, recipient, delay).prepared()
            return _Start(way, FragmentKey.draw(recipient.encryption, self._random))

        prepared = self._starts.take(recipient, prepare)
        if prepared is not None:
            return prepared
        key = FragmentKey.draw(recipient.encryption, self._random)
        return _Start(self._draw(topology, recipient, delay), key)

    def _draw(self, topology: Topology, recipient: NymAddress, mean_seconds: float) -> _Way:
        """Draw a route and delays."""
        if topology is self._topology and self._routes is not None:
            topology = self._routes
        route = topology.route_to(recipient.gateway, self._random)
        delays = exponential_delays_ns(self._random, mean_seconds, len(route))
        header = build_header(
            route,
            delays,
            recipient.identity,
            rotation=topology.rotation,
            random_bytes=self._random,
        )
        return _Way(header, route)

    def _make_header(
        self, topology: Topology, recipient: NymAddress, mean_seconds: float
    ) -> HeaderMaterial:
        header = self._draw(topology, recipient, mean_seconds).header
        assert isinstance(header, HeaderMaterial)
        return header

    def _cover_size(self) -> PacketSize:
        profile = self._profile
        if profile.secondary_packet_size is None:
            return profile.primary_packet_size
        if uniform_fraction(self._random) <= profile.cover_primary_ratio:
            return profile.primary_packet_size
        return profile.secondary_packet_size
