"""Composer: from what is to be said to fragments, with reply keys remembered first."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from nymproxy.address import SenderTag
from nymproxy.errors import TopologyUnavailable
from nymproxy.mixnet.machine.composer import Composer
from nymproxy.mixnet.messages import ReplyKeyStore
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.mixnet.traffic import ControlLane, PacketKind, SurbRequestPlan, TrafficProfile
from tests.machine.driver import OPEN, HandClient, Stage

TAG = SenderTag(bytes(16))


def make(profile: TrafficProfile = OPEN) -> tuple[Composer, HandClient, ReplyKeyStore]:
    client, keys = Stage().client("alice"), ReplyKeyStore()
    random_bytes = random.Random(1).randbytes
    return Composer(client.address, client.maker, keys, profile, random_bytes), client, keys


class TestSurbs:
    def test_a_draft_of_none_is_complete(self) -> None:
        composer, client, keys = make()
        client.maker.use_topology(None)
        draft = composer.draft_surbs(client.address, 0)
        assert draft.advance(0.0)
        assert (draft.surbs, len(keys)) == ([], 0)

    def test_all_come_from_the_topology_of_the_beginning(self) -> None:
        composer, client, _ = make()
        before = client.maker.topology.rotation
        draft = composer.draft_surbs(client.address, 12)
        assert not draft.advance(0.0)
        client.maker.use_topology(client.stage.mixnet.rotate())
        assert draft.advance(0.0)
        assert {surb.rotation for surb in draft.surbs} == {before}
        assert draft.advance(0.0)
        assert len(draft.surbs) == 12

    def test_without_topology_there_are_none(self) -> None:
        composer, client, _ = make()
        client.maker.use_topology(None)
        with pytest.raises(TopologyUnavailable):
            composer.draft_surbs(client.address, 1)

    def test_their_keys_are_remembered(self) -> None:
        composer, client, keys = make()
        surbs = composer.make_surbs(client.maker.topology, client.address, 5, 0.0)
        assert all(keys.take(surb.key_digest, 0.0) is not None for surb in surbs)


class TestMessages:
    def test_the_kinds(self) -> None:
        composer, client, _ = make()
        surbs = composer.make_surbs(client.maker.topology, client.address, 2, 0.0)
        to = client.address
        for composed, kind, lane, count in (
            (composer.data(to, TAG, b"x", surbs, 7), PacketKind.DATA, 7, 2),
            (composer.plain(to, b"x", 7), PacketKind.DATA, 7, 0),
            (composer.reply(TAG, b"x", 7), PacketKind.REPLY, 7, 0),
            (
                composer.additional_surbs(to, TAG, surbs),
                PacketKind.ADDITIONAL_SURBS,
                ControlLane.ADDITIONAL_SURBS,
                2,
            ),
        ):
            message = composed.message
            assert (message.kind, message.lane, message.surbs) == (kind, lane, count)
            assert message.maximum_retransmissions == OPEN.maximum_retransmissions
            assert message.delivery.packet_count == len(composed.fragments)

    def test_a_surb_request_is_one_packet_that_has_its_surb(self) -> None:
        composer, client, _ = make(replace(OPEN, primary_packet_size=PacketSize.EXTENDED8))
        [surb] = composer.make_surbs(client.maker.topology, client.address, 1, 0.0)
        message, [fragment] = composer.surb_request(SurbRequestPlan(TAG, 50, surb))
        assert fragment.surb is surb
        assert fragment.size is PacketSize.REGULAR
        assert (message.to, message.surbs, message.lane) == (TAG, 50, ControlLane.SURB_REQUEST)
        assert message.maximum_retransmissions == 10

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            (100, PacketSize.REGULAR),
            (5_000, PacketSize.EXTENDED16),
            (100_000, PacketSize.EXTENDED16),
        ],
    )
    def test_the_secondary_size_is_for_what_takes_fewer_packets_of_it(
        self, size: int, expected: PacketSize
    ) -> None:
        profile = replace(OPEN, secondary_packet_size=PacketSize.EXTENDED16)
        composer, client, _ = make(profile)
        composed = composer.plain(client.address, bytes(size), 0)
        assert {fragment.size for fragment in composed.fragments} == {expected}
