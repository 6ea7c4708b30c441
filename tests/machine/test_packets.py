"""PacketBuilder: real packets, opened with the nodes' keys; prepared headers; rotation of acks."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import (
    AddressError,
    TopologyUnavailable,
    UnknownGateway,
    UsageError,
)
from nymproxy.mixnet.machine import BuiltPacket, PacketBuilder
from nymproxy.mixnet.messages import (
    AckKey,
    CoverKeys,
    CoverReceived,
    FragmentId,
    InboundDecoder,
    MixPacket,
    PacketOpener,
    ReplyKeyStore,
    detach_ack,
    inbound,
)
from nymproxy.mixnet.messages.cover import is_cover
from nymproxy.mixnet.records import DeliveryRecord
from nymproxy.mixnet.sphinx import KeyRotation, PacketSize, recover_plaintext
from nymproxy.mixnet.storage import ClientKeys
from nymproxy.mixnet.traffic import BARE, Mix, OutgoingFragment, OutgoingMessage, PacketKind
from tests.client.paper_network import PaperNetwork

TAG = SenderTag(bytes(16))
UNDELAYED = replace(BARE, header_pool_size=0)
FRAGMENT_ID = FragmentId(b"\0\0\0\x07\x01")


class Builder:
    """A builder, and what opens its packets."""

    def __init__(self, profile=UNDELAYED) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self.network = PaperNetwork()
        random_bytes = random.Random(5).randbytes
        keys = ClientKeys.generate(random_bytes)
        self.address = NymAddress(
            keys.identity_public, keys.encryption_public, self.network.gateways[0]
        )
        self.reply_keys = ReplyKeyStore()
        ack_key = AckKey(keys.ack_key)
        cover_keys = CoverKeys(keys.encryption_private)
        self.opener = PacketOpener(keys.encryption_private, ack_key, self.reply_keys, cover_keys)
        self.stranger = PacketOpener(random_bytes(32), ack_key, ReplyKeyStore())
        self.builder = PacketBuilder(self.address, ack_key, profile, random_bytes, cover_keys)
        self.builder.use_topology(self.network.topology)

    def rotate(self) -> None:
        self.network.rotate()
        self.builder.use_topology(self.network.topology)

    def open(
        self, packet: MixPacket, opener: PacketOpener | None = None
    ) -> tuple[bytes, FragmentId | None]:
        """Carry a packet to its end: return its content, and what its ack says at our gateway."""
        opener = opener or self.opener
        unwrap = self.network._unwrap
        final = unwrap(packet.first_hop, packet.packet, packet.rotation)
        assert final.destination == self.address.identity
        detached = detach_ack(recover_plaintext(final.payload))
        ack = unwrap(detached.first_hop, detached.packet, packet.rotation)
        assert ack.destination == self.address.identity
        content, _ = opener.open_packet(detached.pushed, 0.0)
        return content, opener.open_ack(recover_plaintext(ack.payload))


def fragment_to(
    to: NymAddress | SenderTag, size: PacketSize = PacketSize.REGULAR
) -> OutgoingFragment:
    message = OutgoingMessage(DeliveryRecord(1), PacketKind.DATA, to, 0, 1)
    data = bytes(1611) if size is PacketSize.REGULAR else bytes(7755)
    return OutgoingFragment(message, FRAGMENT_ID, data, size)


class TestPackets:
    @pytest.mark.parametrize("size", [PacketSize.REGULAR, PacketSize.EXTENDED8])
    def test_a_packet_to_an_address_opens_and_its_ack_comes_back(self, size: PacketSize) -> None:
        made = Builder()
        fragment = fragment_to(made.address, size)
        packet, expected, _ = made.builder.build(fragment)
        assert len(packet.packet) == size.packet_length
        assert made.open(packet) == (fragment.data, FRAGMENT_ID)
        assert expected == 0.0

    def test_delays_are_drawn_and_expected(self) -> None:
        made = Builder(replace(UNDELAYED, packet_delay_seconds=0.1, ack_delay_seconds=0.1))
        seconds = [made.builder.build(fragment_to(made.address)).expected_seconds for _ in range(9)]
        assert 0.3 < sum(seconds) / 9 < 1.5
        assert len(set(seconds)) == 9

    def test_a_reply_takes_a_surb(self) -> None:
        made = Builder(replace(UNDELAYED, packet_delay_seconds=0.1))
        surb = made.builder.create_surb(made.network.topology)
        made.reply_keys.add([surb.encryption_key], 0.0)
        fragment = fragment_to(TAG)
        fragment.surb = surb
        packet, expected, _ = made.builder.build(fragment)
        assert made.open(packet) == (fragment.data, FRAGMENT_ID)
        assert expected == 0.0  # of the way there nothing is known, and the ack has no delays

    def test_covers_come_back_to_us(self) -> None:
        made = Builder()
        content, ack = made.open(made.builder.build_cover())
        assert is_cover(content)
        assert ack is None

    def test_a_cover_is_known_without_a_key_exchange_also_late_and_by_a_later_process(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = Builder()
        covers = [made.builder.build_cover() for _ in range(3)]
        later = Builder()
        monkeypatch.setattr(inbound, "open_fragment", lambda *_: pytest.fail("a key exchange"))
        for packet in (*covers, covers[0]):
            assert is_cover(made.open(packet)[0])
            assert is_cover(made.open(packet, later.opener)[0])

    def test_a_cover_of_ours_is_nothing_to_anybody_else(self) -> None:
        made = Builder()
        assert not is_cover(made.open(made.builder.build_cover(), made.stranger)[0])

    def test_a_cover_to_a_peer_is_opened_and_dropped_there(self) -> None:
        made = Builder()
        keys = ClientKeys.generate(random.Random(6).randbytes)
        peer = NymAddress(keys.identity_public, keys.encryption_public, made.network.gateways[1])
        packet = made.builder.build_cover(peer)
        final = made.network._unwrap(packet.first_hop, packet.packet, packet.rotation)
        assert final.destination == peer.identity
        detached = detach_ack(recover_plaintext(final.payload))
        opener = PacketOpener(keys.encryption_private, AckKey(keys.ack_key), ReplyKeyStore())
        events = InboundDecoder(opener).receive(detached.pushed, 0.0)
        assert events == [CoverReceived(is_ack=False)]
        ack = made.network._unwrap(detached.first_hop, detached.packet, packet.rotation)
        assert ack.destination == made.address.identity
        assert made.opener.open_ack(recover_plaintext(ack.payload)) is None

    def test_covers_have_both_sizes_if_messages_have(self) -> None:
        made = Builder(
            replace(UNDELAYED, secondary_packet_size=PacketSize.EXTENDED8, cover_primary_ratio=0.5)
        )
        lengths = {len(made.builder.build_cover().packet) for _ in range(20)}
        expected = {PacketSize.REGULAR.packet_length, PacketSize.EXTENDED8.packet_length}
        assert lengths == expected

    def test_what_cannot_be_built(self) -> None:
        made = Builder()
        with pytest.raises(UsageError, match="needs a reply SURB"):
            made.builder.build(fragment_to(TAG))
        nobody = NymAddress(made.address.identity, bytes(32), made.address.gateway)
        with pytest.raises(AddressError):
            made.builder.build(fragment_to(nobody))
        elsewhere = PaperNetwork(seed=9).gateways[0]
        with pytest.raises(UnknownGateway):
            made.builder.check_gateway(elsewhere)
        made.builder.check_gateway(made.address.gateway)
        made.builder.use_topology(None)
        assert not made.builder.has_topology
        for attempt in (
            lambda: made.builder.build(fragment_to(made.address)),
            made.builder.build_cover,
        ):
            with pytest.raises(TopologyUnavailable):
                attempt()


class TestRotation:
    def built_with(self, made: Builder, rotations: int) -> BuiltPacket:
        """Build a reply with a SURB that is so many rotations old."""
        surb = made.builder.create_surb(made.network.topology)
        made.reply_keys.add([surb.encryption_key], 0.0)
        for _ in range(rotations):
            made.rotate()
        fragment = fragment_to(TAG)
        fragment.surb = surb
        return made.builder.build(fragment)

    def test_the_ack_of_a_stale_surb_is_made_from_the_topology_before(self) -> None:
        made = Builder()
        packet, _, _ = self.built_with(made, 1)
        rotations = (packet.rotation, made.builder.topology.rotation)
        assert rotations == (KeyRotation.EVEN, KeyRotation.ODD)
        assert made.open(packet)[1] == FRAGMENT_ID

    def test_two_rotations_later_the_markers_are_equal_again(self) -> None:
        made = Builder()
        packet, _, _ = self.built_with(made, 2)
        assert packet.rotation is made.builder.topology.rotation

    def test_a_surb_of_an_earlier_topology_of_the_draft(self) -> None:
        made = Builder()
        before = made.network.topology
        made.rotate()
        assert made.builder.create_surb(before).rotation is KeyRotation.EVEN
        assert made.builder.create_surb(made.network.topology).rotation is KeyRotation.ODD


class TestPreparedHeaders:
    def test_they_are_used_and_refilled(self) -> None:
        made = Builder(replace(BARE, header_pool_size=8))
        builder = made.builder
        builder.prepare_some()  # nothing is known to be wanted yet: one look tells
        assert not builder.wants_headers
        builder.build(fragment_to(made.address))
        assert self.fill(builder) == 2  # to the recipient, and for an ack
        packet, _, _ = builder.build(fragment_to(made.address))
        assert made.open(packet) == (bytes(1611), FRAGMENT_ID)
        assert made.open(builder.build_cover())[1] is None
        surb = builder.create_surb(builder.topology)
        assert surb.rotation is builder.topology.rotation
        assert self.fill(builder) > 0

    def test_another_topology_empties_the_pool_and_the_same_one_does_not(self) -> None:
        made = Builder(replace(BARE, header_pool_size=8))
        for _ in range(8):
            made.builder.build(fragment_to(made.address))
        self.fill(made.builder)
        made.builder.use_topology(made.network.topology)
        assert self.fill(made.builder) == 0
        made.rotate()
        assert self.fill(made.builder) == 16
        made.builder.use_topology(None)
        assert not made.builder.wants_headers
        made.builder.prepare_some()

    def test_covers_to_ourselves_are_prepared_whole_and_known_when_they_come_home(self) -> None:
        made = Builder(replace(BARE, header_pool_size=8))
        for _ in range(8):
            made.builder.build_cover()
        assert self.fill(made.builder) == 8
        source = made.builder._random
        made.builder._random = lambda _size: pytest.fail("something was left to be drawn")
        covers = [made.builder.build_cover() for _ in range(8)]
        made.builder._random = source
        assert len({cover.packet for cover in covers}) == 8
        for cover in covers:
            content, ack = made.open(cover)
            assert is_cover(content)
            assert ack is None

    def test_an_empty_pool_grows_up_to_its_limit(self) -> None:
        made = Builder(replace(BARE, header_pool_size=20))
        sizes = []
        for _ in range(4):
            for _ in range(40):
                made.builder.build(fragment_to(made.address))
            sizes.append(self.fill(made.builder))
        assert sizes[-1] == sizes[-2] == 40

    def test_no_more_are_prepared_than_were_used(self) -> None:
        """An opening takes seventeen SURBs at once, and has no use for more: each time that the
        pool was found empty it wanted twice as many, 64 of each kind in the end."""
        made = Builder(BARE)
        for _ in range(17):
            made.builder.create_surb(made.builder.topology)
        for _ in range(9):
            made.builder.build(fragment_to(made.address))
        assert self.fill(made.builder) == 17 + 9 + 9
        for _ in range(9):
            made.builder.build(fragment_to(made.address))
        assert self.fill(made.builder) == 18 + 18  # they are used again, so there is use for more

    def test_many_recipients_do_not_fill_the_memory(self) -> None:
        made = Builder(replace(BARE, header_pool_size=8))
        source = random.Random(2)
        for _ in range(70):
            key = ClientKeys.generate(source.randbytes)
            to = NymAddress(key.identity_public, key.encryption_public, made.address.gateway)
            made.builder.build(fragment_to(to))
            assert len(made.builder._starts._targets) <= 64

    def fill(self, builder: PacketBuilder) -> int:
        """Prepare all headers that are wanted; return how many."""
        before = self.pooled(builder)
        while builder.wants_headers:
            builder.prepare_some()
        return self.pooled(builder) - before

    def pooled(self, builder: PacketBuilder) -> int:
        return sum(len(ahead) for ahead in builder._ahead)


class TestMixesToAvoid:
    def test_a_packet_says_which_mixes_it_and_its_ack_pass(self) -> None:
        made = Builder()
        layers = made.network.topology.layers
        ways = [Mix(layer, mix) for layer, [mix] in enumerate(layers)]
        assert made.builder.build(fragment_to(made.address)).mixes == (*ways, *ways)

    def test_a_reply_says_it_of_its_ack_only(self) -> None:
        made = Builder()
        surb = made.builder.create_surb(made.builder.topology)
        made.reply_keys.add([surb.encryption_key], 0.0)
        fragment = fragment_to(TAG)
        fragment.surb = surb
        assert [mix.layer for mix in made.builder.build(fragment).mixes] == [0, 1, 2]

    def test_no_route_leads_through_them_and_what_was_prepared_is_dropped(self) -> None:
        made = Builder(replace(BARE, header_pool_size=8))
        made.builder.build(fragment_to(made.address))
        while made.builder.wants_headers:
            made.builder.prepare_some()
        avoided = frozenset(made.network.topology.layers[0])
        made.builder.avoid(avoided)
        for build in (
            lambda: made.builder.build(fragment_to(made.address)),
            made.builder.build_cover,
            lambda: made.builder.create_surb(made.builder.topology),
        ):
            with pytest.raises(TopologyUnavailable):
                build()
        made.builder.avoid(avoided)
        made.builder.avoid(frozenset())
        assert made.open(made.builder.build(fragment_to(made.address)).packet)[1] == FRAGMENT_ID
