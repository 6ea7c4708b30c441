"""A 1: answers that wait for SURBs of one peer hold up nobody else, nor do those that leave."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from nymproxy.mixnet.traffic import BARE, DEFAULT
from nymproxy.testing._pretended_client import pretended_profile
from tests.attack.scene import Peer, Questioner, Scene
from tests.attack.stranger import fall_silent

if TYPE_CHECKING:
    from nymproxy.mixnet.records import DeliveryRecord, Received
    from nymproxy.mixnet.traffic import TrafficProfile
    from tests.attack.figures import AttackFigures

PACKETS = 64
PACKET_BYTES = 1604
NO_SCHEDULE = pretended_profile()
ANSWERS = {b"greeting": 1, b"question": 3}
"""In packets."""


class Server:
    """Answers each question with three packets, a greeting with one, and each order with a large
    message, or several of them on lanes of their own."""

    def __init__(self) -> None:
        self.answers: list[DeliveryRecord] = []

    def __call__(self, peer: Peer, message: Received) -> None:
        if message.sender_tag is None:
            return
        if packets := ANSWERS.get(message.payload):
            peer.send(message.sender_tag, bytes(packets * PACKET_BYTES - 50), lane=peer.new_lane())
            return
        for _ in range(message.payload[0]):
            payload = bytes(PACKETS * PACKET_BYTES - 50)
            submission = peer.send(message.sender_tag, payload, lane=peer.new_lane())
            self.answers.append(submission.delivery)


def test_messages_without_surbs(attack_figures: AttackFigures) -> None:
    """80 of them stalled everybody for 70 seconds."""
    scene, application = Scene(), Server()
    server = scene.peer("server", application)
    honest = Questioner(scene, server, attack_figures)
    hostile = [scene.peer(f"hostile {number}", profile=NO_SCHEDULE) for number in range(800)]
    honest.ask(5)
    with attack_figures.attack(
        f"{len(hostile)} messages without SURBs, answers of {PACKETS} packets"
    ):
        for peer in hostile:
            peer.send(server, b"\x01")
        scene.run(0.5)
        honest.ask(20)
    room = server.machine._outbox.tag_room
    attack_figures.notes["packets that wait for SURBs"] = str(room.total)
    honest.ask(5)
    assert len(application.answers) == len(hostile)
    scene.run(20.0)
    assert all(delivery.error is not None for delivery in application.answers)
    attack_figures.check(memory_limit_bytes=64 << 20)
    assert room.total == 0


def test_clients_that_die_in_mid_download(attack_figures: AttackFigures) -> None:
    """64 honest ones did the same, for as long as they were waited for."""
    scene, application = Scene(), Server()
    server = scene.peer("server", application, NO_SCHEDULE)
    honest = Questioner(scene, server, attack_figures)
    clients = [scene.peer(f"client {number}", profile=NO_SCHEDULE) for number in range(200)]
    honest.ask(5)
    with attack_figures.attack(f"{len(clients)} clients die while they get {4 * PACKETS} packets"):
        for peer in clients:
            peer.send(server, b"\x04", surbs=20)
        scene.run(0.25)
        for peer in clients:
            peer.client.disconnect()
        honest.ask(20)
    waiting = server.machine._outbox.tag_room.total
    attack_figures.notes["packets that wait for SURBs"] = str(waiting)
    honest.ask(5)
    attack_figures.check(memory_limit_bytes=64 << 20)


def test_channels_of_one_peer_do_not_crowd_out_another(attack_figures: AttackFigures) -> None:
    """A peer with SURBs and a hundred channels gets no more of the schedule than one with one."""
    scene, application = Scene(), Server()
    server = scene.peer("server", application)
    honest = Questioner(scene, server, attack_figures)
    greedy = scene.peer("greedy", profile=NO_SCHEDULE)
    honest.ask(5)
    with attack_figures.attack(
        f"one peer with 100 answers of {PACKETS} packets, and the SURBs for it"
    ):
        for _ in range(100):
            greedy.send(server, b"\x01", surbs=100, lane=greedy.new_lane())
        scene.run(2.0)
        honest.ask(20)
    honest.ask(5)
    scene.run(200.0)
    assert all(delivery.is_acknowledged for delivery in application.answers)
    attack_figures.check(memory_limit_bytes=64 << 20)


STRANGERS = 160


@pytest.mark.parametrize(
    ("profile", "per_second"), [(DEFAULT, 40), (BARE, 250)], ids=["default", "bare"]
)
def test_strangers_whose_download_dies_at_once(
    profile: TrafficProfile, per_second: int, attack_figures: AttackFigures
) -> None:
    """Each takes some packets, together several times what leaves in a second. These were shared
    peer by peer, and honest requests took 13 times as long."""
    scene, application = Scene(), Server()
    server = scene.peer("server", application, profile)
    honest = Questioner(scene, server, attack_figures)
    stranger = scene.peer("stranger", profile=NO_SCHEDULE)
    fall_silent(stranger.machine)
    honest.ask(10)
    with attack_figures.attack(f"{STRANGERS} strangers, {per_second} a second, {profile.name}"):
        for number in range(STRANGERS):
            scene.agenda.after(number / per_second, partial(_order, stranger, server))
        while len(application.answers) < 4 * STRANGERS:
            honest.ask()
        answers: list[Received] = []
        newcomer = scene.peer("newcomer", lambda _peer, message: answers.append(message))
        began = scene.now
        newcomer.send(server, b"greeting", surbs=20)
        scene.until(lambda: bool(answers), began + 60.0)
        attack_figures.notes["stranger who is honest"] = f"{scene.now - began:.2f} s"
        assert scene.now - began < 1.0
    honest.ask(5)
    attack_figures.check(memory_limit_bytes=64 << 20, slack_seconds=0.0)


def _order(stranger: Peer, server: Peer) -> None:
    """Order 256 packets under a tag of its own, with SURBs for some."""
    stranger.machine._tags._tags.clear()
    stranger.send(server, b"\x04", surbs=16, lane=stranger.new_lane())


@pytest.mark.parametrize("fate", ["go on", "die"])
def test_peers_with_long_answers(fate: str, attack_figures: AttackFigures) -> None:
    """A short answer does not wait for a round of all who get long ones, whether they still take
    them or not."""
    scene, application = Scene(), Server()
    server = scene.peer("server", application)
    honest = Questioner(scene, server, attack_figures)
    clients = [scene.peer(f"client {number}", profile=NO_SCHEDULE) for number in range(64)]
    honest.ask(10)
    for peer in clients:
        peer.send(server, b"\x04", surbs=20)
    scene.run(4.0)
    with attack_figures.attack(f"{len(clients)} downloads of {4 * PACKETS} packets {fate}"):
        if fate == "die":
            for peer in clients:
                peer.client.disconnect()
        honest.ask(20)
        assert server.machine.gauges.packets_waiting > 2 * len(clients)
    honest.ask(5)
    attack_figures.check(memory_limit_bytes=64 << 20, slack_seconds=0.0)


def test_honest_peers_who_wait_for_us_lose_nothing() -> None:
    """What waits for the SURBs of a peer waits for our own schedule, in which the requests for them
    have their turn. It was given up for that to make room, and of 60 Rust peers with ten answers
    each 33 had half an answer, and no end."""
    policy = replace(DEFAULT.surbs, total_waiting=256, maximum_waiting=32)
    scene, application = Scene(), Server()
    server = scene.peer("server", application, replace(DEFAULT, surbs=policy))
    clients = [scene.peer(f"client {number}", profile=NO_SCHEDULE) for number in range(12)]
    for peer in clients:
        peer.send(server, b"greeting", surbs=16)
    scene.run(1.0)
    for _ in range(4):
        for peer in clients:
            peer.send(server, b"\x01", surbs=16, lane=peer.new_lane())
        scene.run(3.0)
    scene.run(100.0)
    assert [delivery.is_acknowledged for delivery in application.answers] == [True] * 48
