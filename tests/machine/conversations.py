"""Conversations of two client machines with a real schedule, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from nymproxy.testing._agenda import VirtualAgenda
from nymproxy.testing._pretended_client import PretendedClient
from nymproxy.testing._pretended_mixnet import PacketFaults, PretendedMixnet

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.traffic import TrafficProfile


def make_mixnet(seed: int, faults: PacketFaults) -> PretendedMixnet:
    return PretendedMixnet(VirtualAgenda(), seed, lambda _sender: faults)


def submit(
    client: PretendedClient, to: NymAddress | SenderTag, payload: bytes, surbs: int = 0
) -> None:
    """Send a message without waiting for room."""
    now = client.network.agenda.now
    submission = client.machine.submit(to, payload, surbs=surbs, lane=1, now=now)
    while not submission.is_made:
        client.machine.advance(submission, now)
    client.pump()


@dataclass
class Echo:
    """One side sends small messages, each when the answer to the one before has come."""

    network: PretendedMixnet
    profile: TrafficProfile
    surbs: int
    pause_seconds: float = 0.05
    server_profile: TrafficProfile | None = None
    tag: SenderTag | None = None
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dialer = PretendedClient(
            "dialer", self.network, self.profile, on_pumped=self._answers_came
        )
        self.server = PretendedClient(
            "server",
            self.network,
            self.server_profile or self.profile,
            on_pumped=self._questions_came,
        )
        self._asked_at = 0.0

    def run(self, count: int) -> list[float]:
        """Return how long each of so many answers took, in seconds."""
        agenda = self.network.agenda
        assert isinstance(agenda, VirtualAgenda)
        if not self.seconds:
            agenda.at(1.0, partial(self._ask, 33))
        while len(self.seconds) < count:
            agenda.step()
        return self.seconds

    def _ask(self, surbs: int) -> None:
        self._asked_at = self.network.agenda.now
        submit(self.dialer, self.server.machine.address, b"question", surbs)

    def _questions_came(self) -> None:
        while (message := self.server.machine.inbox.take()) is not None:
            tag = self.tag = message.sender_tag
            assert tag is not None
            self.network.agenda.after(0, partial(submit, self.server, tag, b"answer"))

    def _answers_came(self) -> None:
        while self.dialer.machine.inbox.take() is not None:
            self.seconds.append(self.network.agenda.now - self._asked_at)
            self.network.agenda.after(self.pause_seconds, partial(self._ask, self.surbs))
