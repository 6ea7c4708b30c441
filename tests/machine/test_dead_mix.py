"""One of five mixes of a layer is dead, and the directory goes on to list it."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from statistics import quantiles
from typing import TYPE_CHECKING, cast

from nymproxy.address import NodeIdentity
from nymproxy.mixnet.directory import Node, Topology
from nymproxy.mixnet.directory.bodies import RewardedSet
from nymproxy.mixnet.machine import BuiltPacket
from nymproxy.mixnet.sphinx import NodeAddress
from nymproxy.mixnet.traffic import DEFAULT, Mix
from nymproxy.testing import _pretended_client
from nymproxy.testing._agenda import VirtualAgenda
from nymproxy.testing._pretended_client import PretendedClient
from nymproxy.testing._pretended_mixnet import PacketFaults, PretendedMixnet
from nymproxy.testing._pretended_packets import PretendedMaker, PretendedPacket
from tests.machine.conversations import submit

if TYPE_CHECKING:
    import pytest

    from nymproxy.mixnet.traffic import OutgoingFragment

WIDTH = 5
DEAD = NodeAddress.parse("127.0.0.1", 1003)
FAULTS = PacketFaults(delay=(0.001, 0.003), ack_delay=(0.001, 0.003))
PROFILE = replace(DEFAULT, header_pool_size=0)


class WideMixnet(PretendedMixnet):
    """Five mixes in each layer."""

    def _make_topology(self) -> Topology:
        mixes = range(1, 3 * WIDTH + 1)
        nodes = {
            number: Node(
                number,
                NodeIdentity(self.ed25519_public(f"mix/{number}")),
                self.derive(f"sphinx/{number}"),
                NodeAddress.parse("127.0.0.1", 1000 + number),
            )
            for number in mixes
        }
        nodes[99] = Node(99, self.gateway, self.derive("g"), NodeAddress.parse("127.0.0.1", 999))
        first, second, third = (tuple(mixes[at : at + WIDTH]) for at in (0, WIDTH, 2 * WIDTH))
        roles = RewardedSet(1, (99,), (99,), (first, second, third), ())
        return Topology(self.rotation_id, self.rotation_id, roles, nodes)


class MixingMaker(PretendedMaker):
    """Draws routes; what passes the dead mix is lost. Those of reply SURBs are somebody else's."""

    is_dead = False
    avoided: frozenset[NodeAddress] = frozenset()

    def avoid(self, mixes: frozenset[NodeAddress]) -> None:
        MixingMaker.avoided = self.avoided = mixes

    def build(self, fragment: OutgoingFragment) -> BuiltPacket:
        built = super().build(fragment)
        forward, back = self._draw() if fragment.surb is None else [], self._draw()
        packet = cast("PretendedPacket", built.packet)
        if self.is_dead and DEAD in [mix.address for mix in forward]:
            packet = replace(packet, recipient=b"nobody")
        elif self.is_dead and DEAD in [mix.address for mix in back]:
            packet = replace(packet, sender=b"nobody")
        return BuiltPacket(packet, built.expected_seconds, (*forward, *back))

    def _draw(self) -> list[Mix]:
        source = random.Random(self._random(8))
        return [
            Mix(layer, source.choice([each for each in mixes if each not in self.avoided]))
            for layer, mixes in enumerate(self.topology.layers)
        ]


def delays(seconds: float) -> list[float]:
    """How long messages are under way, five a second, in the last two thirds of the time."""
    network = WideMixnet(VirtualAgenda(), 5, lambda _sender: FAULTS)
    agenda = cast("VirtualAgenda", network.agenda)
    alice = PretendedClient("alice", network, PROFILE)
    taken: list[float] = []

    def came() -> None:
        while (message := bob.machine.inbox.take()) is not None:
            taken.append(agenda.now - float(message.payload))

    bob = PretendedClient("bob", network, replace(PROFILE, returns_cover=False), on_pumped=came)

    def ask(at: float) -> None:
        submit(alice, bob.machine.address, str(at).encode())

    count = int(seconds * 5)
    for number in range(count):
        agenda.at(number / 5, partial(ask, number / 5))
    while agenda.now < seconds + 30:
        agenda.step()
    assert len(taken) == count
    return taken[count // 3 :]


def test_a_minute_after_its_death_it_is_hardly_felt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pretended_client, "PretendedMaker", MixingMaker)
    monkeypatch.setattr(MixingMaker, "avoided", frozenset())
    usual = quantiles(delays(45), n=100)[98]
    assert not MixingMaker.avoided
    monkeypatch.setattr(MixingMaker, "is_dead", True)
    with_it_dead = quantiles(delays(45), n=100)[98]
    assert MixingMaker.avoided == {DEAD}
    assert with_it_dead < 1.5 * usual


def test_who_only_answers_learns_it_from_acks_as_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of all acks did not count, as they came before a guess of the SURB's delays was
    over: 28 s instead of 9."""
    monkeypatch.setattr(_pretended_client, "PretendedMaker", MixingMaker)
    monkeypatch.setattr(MixingMaker, "avoided", frozenset())
    network = WideMixnet(VirtualAgenda(), 5, lambda _sender: FAULTS)
    agenda = cast("VirtualAgenda", network.agenda)
    alice = PretendedClient("alice", network, PROFILE)

    def asked() -> None:
        while (message := bob.machine.inbox.take()) is not None:
            assert message.sender_tag is not None
            agenda.after(0, partial(submit, bob, message.sender_tag, b"answer"))

    bob = PretendedClient("bob", network, replace(PROFILE, returns_cover=False), on_pumped=asked)
    bob.machine._maker.is_dead = True  # type: ignore[attr-defined]
    for number in range(75):
        surbs = 2 if number else 33
        agenda.at(number / 5, partial(submit, alice, bob.machine.address, b"question", surbs))
    while not MixingMaker.avoided and agenda.now < 15:
        agenda.step()
    assert MixingMaker.avoided == {DEAD}
