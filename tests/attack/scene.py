"""Client machines on a pretended mixnet in virtual time, with small applications on them.

Real messages, SURBs, lanes and timers; packets take ``DELAY_SECONDS`` and are not encrypted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from nymproxy.mixnet.traffic import DEFAULT
from nymproxy.testing._agenda import VirtualAgenda
from nymproxy.testing._pretended_client import PretendedClient
from nymproxy.testing._pretended_mixnet import PacketFaults, PretendedMixnet
from tests.attack.hostile_server import request_surbs

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.machine import Submission
    from nymproxy.mixnet.records import Received
    from nymproxy.mixnet.traffic import Lane, TrafficProfile
    from tests.attack.figures import AttackFigures

DELAY_SECONDS = 0.1

OnMessage: TypeAlias = "Callable[[Peer, Received], None]"


def ignore(_peer: Peer, _message: Received) -> None:
    """An application that reads and does nothing."""


class Peer:
    """One client with an application that is called with each message."""

    def __init__(
        self, scene: Scene, name: str, profile: TrafficProfile, on_message: OnMessage
    ) -> None:
        self.scene = scene
        self.client = PretendedClient(name, scene.mixnet, profile, on_pumped=self._read)
        self.machine = self.client.machine
        self.address: NymAddress = self.machine.address
        self.on_message = on_message
        self._lane = 0
        self.client.pump()

    def new_lane(self) -> int:
        self._lane += 1
        return self._lane

    def send(
        self,
        to: Peer | SenderTag | NymAddress,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: Lane = 0,
    ) -> Submission:
        """Submit a message; it may wait for room, as a task in ``send`` would."""
        machine, now = self.machine, self.scene.now
        to = to.address if isinstance(to, Peer) else to
        submission = machine.submit(to, payload, surbs=surbs, lane=lane, now=now)
        while not submission.is_made and submission.error is None:
            machine.advance(submission, now)
        self.client.pump()
        return submission

    def request_surbs(self, tag: SenderTag, amount: int, in_the_name_of: NymAddress) -> None:
        """Send a request of any amount in any name, through one of the SURBs in hand."""
        assert request_surbs(self.machine, tag, amount, in_the_name_of)
        self.client.pump()

    def leave(self) -> None:
        """Go away without a word."""
        self.client.end(None)

    def _read(self) -> None:
        while (message := self.machine.inbox.take()) is not None:
            self.on_message(self, message)


class Scene:
    """A network and its clock."""

    def __init__(self, seed: object = 1) -> None:
        self.agenda = VirtualAgenda()
        trip = (DELAY_SECONDS, DELAY_SECONDS)
        faults = PacketFaults(delay=trip, ack_delay=trip)
        self.mixnet = PretendedMixnet(self.agenda, seed, lambda _sender: faults)

    @property
    def now(self) -> float:
        return self.agenda.now

    def peer(
        self,
        name: str,
        on_message: OnMessage = ignore,
        profile: TrafficProfile = DEFAULT,
    ) -> Peer:
        return Peer(self, name, profile, on_message)

    def run(self, seconds: float) -> None:
        ends_at = self.now + seconds
        self.until(lambda: False, ends_at)

    def until(self, condition: Callable[[], bool], ends_at: float = float("inf")) -> None:
        """Run until a condition holds or a time comes."""
        while not condition() and self.agenda.next_time <= ends_at:
            self.agenda.step()
        if not condition() and ends_at < float("inf"):
            self.agenda.at(ends_at, lambda: None)
            while self.now < ends_at:
                self.agenda.step()


class Questioner:
    """An honest peer that asks a server, and times how long the whole answer takes."""

    def __init__(self, scene: Scene, server: Peer, figures: AttackFigures, surbs: int = 30) -> None:
        self.scene = scene
        self.server = server
        self.figures = figures
        self.surbs = surbs
        self.peer = scene.peer("honest", self._answered)
        self._answers = 0
        figures.clock = lambda: scene.now

    def ask(self, times: int = 1, limit_seconds: float = 300.0) -> None:
        for _ in range(times):
            with self.figures.honest():
                wanted = self._answers + 1
                self.peer.send(
                    self.server, b"question", surbs=self.surbs, lane=self.peer.new_lane()
                )
                ends_at = self.scene.now + limit_seconds
                self.scene.until(lambda wanted=wanted: self._answers >= wanted, ends_at)  # type: ignore[misc]
                assert self._answers >= wanted, f"no answer within {limit_seconds} s"

    def _answered(self, _peer: Peer, _message: Received) -> None:
        self._answers += 1
