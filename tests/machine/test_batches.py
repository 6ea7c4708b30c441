"""What is in the packets that leave: covers that go to a peer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy.errors import UnknownGateway
from nymproxy.mixnet.traffic import DEFAULT, TrafficProfile
from tests.machine.driver import HandClient, Stage

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.testing._pretended_packets import PretendedPacket

SCHEDULED = replace(DEFAULT, header_pool_size=0, loop_cover_delay_seconds=None, copies=0)


OWED = 7
"""Eleven packets of an answer, less the four that packets of the question paid for."""


def downloader(profile: TrafficProfile) -> tuple[Stage, HandClient, HandClient]:
    """A client that has just got an answer by its reply SURBs, and the server."""
    stage = Stage()
    client, server = stage.client("client", profile), stage.client("server")
    client.send(server, b"question", surbs=20)
    asked = later(stage, client, 20)
    client.acked(asked)
    server.hear(asked)
    message = server.machine.inbox.take()
    assert message is not None
    assert message.sender_tag is not None
    server.send(message.sender_tag, bytes(15_000))
    answer = server.leave()
    assert len(answer) == OWED + 4
    client.hear(answer)
    return stage, client, server


def later(stage: Stage, client: HandClient, packets: int) -> list[PretendedPacket]:
    """What leaves next."""
    sent: list[PretendedPacket] = []
    while len(sent) < packets:
        stage.now = client.machine.next_departure()
        sent += client.leave()
    return sent


def test_covers_go_to_the_peer_that_sent_and_then_to_ourselves() -> None:
    stage, client, server = downloader(SCHEDULED)
    sent = later(stage, client, 20)
    returned = [packet.recipient == server.address.identity for packet in sent]
    assert returned == [True] * OWED + [False] * (20 - OWED)
    assert client.machine.counters.sent["returned-cover"] == OWED
    server.hear(sent)
    assert server.machine.counters.covers_received == OWED
    assert server.machine.inbox.take() is None


def test_a_profile_can_keep_covers_at_home() -> None:
    stage, client, _server = downloader(replace(SCHEDULED, returns_cover=False))
    sent = later(stage, client, 20)
    assert {packet.recipient for packet in sent} == {client.address.identity}
    assert "returned-cover" not in client.machine.counters.sent


def test_where_no_way_leads_to_the_peer_a_cover_leaves_all_the_same() -> None:
    stage, client, _server = downloader(SCHEDULED)
    build = client.maker.build_cover

    def build_at_home(to: NymAddress | None = None) -> MixPacket:
        if to is not None:
            raise UnknownGateway("it has left the topology")
        return build()

    client.maker.build_cover = build_at_home  # type: ignore[method-assign]
    sent = later(stage, client, 20)
    assert {packet.recipient for packet in sent} == {client.address.identity}
    assert client.machine.counters.unbuilt == {UnknownGateway.code: OWED}
