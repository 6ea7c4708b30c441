"""A 5: requests for SURBs take no more of a client than they bring, and count for their sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.address import ToldAddress
from tests.attack.scene import Peer, Scene, ignore

if TYPE_CHECKING:
    from nymproxy.mixnet.records import Received
    from tests.attack.figures import AttackFigures

ALL = 2**32 - 1
PACKETS_PER_SECOND = 50


def answer(peer: Peer, message: Received) -> None:
    if message.sender_tag is not None:
        peer.send(message.sender_tag, b"answer", lane=peer.new_lane())


def test_a_server_that_asks_for_all_there_is(attack_figures: AttackFigures) -> None:
    """It filled 49 of the 50 packets that a client sends a second."""
    scene = Scene()
    honest, hostile = scene.peer("honest server", answer), scene.peer("hostile server")
    client = scene.peer("client")
    answers = []
    client.on_message = lambda _peer, message: answers.append(message)
    attack_figures.clock = lambda: scene.now
    client.send(hostile, b"hello", surbs=200)
    scene.run(5.0)
    [(tag, _)] = hostile.machine._outbox.replies._correspondents.by_age()

    def ask() -> None:
        with attack_figures.honest():
            wanted = len(answers) + 1
            client.send(honest, bytes(3000), surbs=12, lane=client.new_lane())
            scene.until(lambda: len(answers) >= wanted, scene.now + 300.0)
            assert len(answers) >= wanted

    def surb_packets() -> int:
        return client.machine.counters.sent.get("additional-surbs", 0)

    for _ in range(5):
        ask()
    shares = []
    with attack_figures.attack(f"60 s, 10 requests a second for {ALL} SURBs"):
        for second in range(60):
            before, began = surb_packets(), scene.now
            for _ in range(10):
                hostile.request_surbs(tag, ALL, hostile.address)
                scene.run(0.1)
            rate = (surb_packets() - before) / (scene.now - began)
            shares.append(rate / PACKETS_PER_SECOND)
            if second % 6 == 0:
                ask()
    for _ in range(5):
        ask()
    late = sum(shares[30:]) / 30
    attack_figures.notes["share of the schedule"] = (
        f"{max(shares):.0%} in the worst second, {late:.0%} in the last 30 s"
    )
    attack_figures.check(memory_limit_bytes=16 << 20)
    assert sum(shares[:30]) / 30 < 0.4
    # A tenth more than the replies that come, and ten SURBs a second: seven packets.
    assert late < 0.16


def test_a_request_in_the_name_of_another_server(attack_figures: AttackFigures) -> None:
    """Two servers could learn in this way that they know the same client."""
    scene = Scene()
    known, hostile = scene.peer("known server"), scene.peer("hostile server")
    client = scene.peer("client", ignore)
    for server in (known, hostile):
        client.send(server, b"hello", surbs=20)
    scene.run(5.0)
    [(tag, _)] = hostile.machine._outbox.replies._correspondents.by_age()
    [(tag_at_known, _)] = known.machine._outbox.replies._correspondents.by_age()
    held = known.machine._outbox.replies.held(tag_at_known)
    for _ in range(10):
        hostile.request_surbs(tag, 100, known.address)
        scene.run(1.0)
    assert client.machine.counters.sent.get("additional-surbs", 0) == 0
    assert known.machine._outbox.replies.held(tag_at_known) == held
    hostile.request_surbs(tag, 10, hostile.address)
    scene.run(5.0)
    assert client.machine.counters.sent["additional-surbs"] > 0
    attack_figures.notes["SURBs that the other server got"] = "0"


def test_a_request_counts_for_the_tag_that_its_surb_was_given_under() -> None:
    """A server knows us under two tags, one by another one's word: neither tells of the other."""
    scene = Scene()
    server, client = scene.peer("server"), scene.peer("client", ignore)
    told = ToldAddress.told(server.address, scene.peer("who told").address)
    replies = server.machine._outbox.replies
    for address in (server.address, told):
        client.send(address, b"hello", surbs=20)
    scene.run(5.0)
    own_tag, told_tag = (client.machine.sender_tag_for(each) for each in (server.address, told))
    assert own_tag != told_tag
    for asked, other in ((own_tag, told_tag), (told_tag, own_tag)):
        held = replies.held(asked), replies.held(other)
        server.request_surbs(asked, 10, server.address)
        scene.run(5.0)
        assert (replies.held(asked), replies.held(other)) == (held[0] - 1 + 10, held[1])
