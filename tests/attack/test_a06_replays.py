"""A 6: what a gateway delivers again hours later opens nothing a second time; pings have a rate."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from nymproxy.address import SenderTag
from nymproxy.channel import ChannelId, Segment, SegmentKind
from nymproxy.channel.controls import MAX_WAITING_PONGS
from nymproxy.channel.table import ChannelTable
from nymproxy.legacy.codec import LegacyCodec
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.protocol import StreamProtocol
from tests.legacy.machines import MODERN, data

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attack.figures import AttackFigures

HONEST = SenderTag(b"an honest client")
SESSIONS = 12_000


def legacy_opening(number: int) -> bytes:
    return LegacyCodec().encode(data(0, b"POST /payment", ChannelId(MODERN + (number << 80))))


def stream_opening(number: int) -> bytes:
    return StreamFrame(1 + number, MessageType.OPEN, 0, b"").encode()


class Server:
    """A table in which each session is over as soon as it has opened."""

    def __init__(self, name: str) -> None:
        protocol = LegacyProtocol() if name == "legacy" else StreamProtocol()
        self.table = ChannelTable([protocol], random_bytes=random.Random(1).randbytes)
        self.now = 0.0
        self._listener = self.table.listen(protocol, 10, self.now)

    def opens(self, message: bytes, tag: SenderTag = HONEST) -> bool:
        """Deliver a message; tell whether it opened a session."""
        key = self.table.message_received(message, tag, self.now)
        if key is None:
            return False
        self.table.accept(self._listener)
        self.table.remove(key, tag, self.now)
        self.table.strays.clear()
        return True


@pytest.mark.parametrize(
    ("name", "opening"), [("legacy", legacy_opening), ("stream", stream_opening)]
)
def test_an_opening_delivered_again(
    attack_figures: AttackFigures, name: str, opening: Callable[[int], bytes]
) -> None:
    """By then neither its fragments nor the end of its session are remembered."""
    server = Server(name)
    attack_figures.clock = time.thread_time

    def ask(number: int) -> None:
        with attack_figures.honest():
            assert server.opens(opening(number))

    ask(0)
    ask(1)
    with attack_figures.attack(f"{SESSIONS} sessions and 3 hours later, each opening again"):
        for number in range(2, SESSIONS):
            server.opens(opening(number))
        server.now = 3 * 3600.0
        assert not any(server.opens(opening(number)) for number in range(SESSIONS))
        ask(SESSIONS)
    ask(SESSIONS + 1)
    attack_figures.check(memory_limit_bytes=32 << 20, slack_seconds=0.01)
    assert server.opens(opening(0), SenderTag(b"somebody else...")), "another client's id"


def test_a_flood_of_pings(attack_figures: AttackFigures) -> None:
    """Each answer costs a reply SURB, and a packet of the schedule."""
    server = Server("stream")
    server.table.message_received(stream_opening(0), HONEST, 0.0)
    [machine] = server.table.channels.values()
    pongs, seconds, rate = 0, 60, 100
    for number in range(seconds * rate):
        now = number / rate
        ping = Segment(SegmentKind.PING, machine.channel_id, number)
        server.table.links[next(iter(server.table.links))].segment_received(ping, now)
        while (outgoing := machine.next_outgoing(now)) is not None:
            pongs += outgoing.segment.kind is SegmentKind.PONG
    attack_figures.strength = f"{rate} pings a second for {seconds} s"
    attack_figures.notes["answers"] = str(pongs)
    assert seconds / 2 < pongs <= seconds + MAX_WAITING_PONGS
