"""P 8 of NX2: two servers of one client work together: each names the other's address as its own,
answers with the other's reply SURBs, and compares what it has seen.
"""

from __future__ import annotations

import random
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from nymproxy.address import SenderTag
from nymproxy.mixnet.client.group import ClientGroup
from nymproxy.stream.codec import HEADER_LENGTH, TYPE_OFFSET, MessageType, StreamFrame
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import MemoryFaults, MemoryNetwork, MessageFate
from tests.legacy.memory_clients import MemoryClient
from tests.stream.support import on_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from nymproxy.address import NymAddress
    from nymproxy.mixnet.transport import Delivery, Received
    from nymproxy.stream.stream import MixnetStream
    from nymproxy.testing import MemoryEndpoint, MemoryMessage

WINDOW_BYTES = 8
"""As long as the shortest random value, an id."""
LEAST_DISTINCT_BYTES = 7
"""Below that a window is of zeros and limits, which are the same of every client."""
MINUTE_OF_OFFER = slice(HEADER_LENGTH + 2, HEADER_LENGTH + 6)
"""Which is the same of every client, too, but for one more or less that each draws anew."""


class Colluders(ClientGroup):
    """Two servers for who dials them, and one for those who run them: each names the other's
    address in its ACCEPTs, both have all keys, and what comes to either is written down."""

    def __init__(self, clients: Sequence[MemoryClient]) -> None:
        super().__init__(clients)
        self.seen: defaultdict[SenderTag, list[bytes]] = defaultdict(list)
        self.crossed: dict[SenderTag, SenderTag] = {}
        """Whose SURBs are used for whose answers, as far as they are not his own."""

    async def next_message(self) -> Received:
        received = await super().next_message()
        if received.sender_tag is not None:
            self.seen[received.sender_tag].append(without_minute(received.payload))
        return received

    async def send(self, to: NymAddress | SenderTag, payload: bytes, **arguments: Any) -> Delivery:
        to = self.crossed.get(to, to) if isinstance(to, SenderTag) else to
        return await super().send(to, payload, **arguments)

    def windows(self, tags: Iterable[SenderTag]) -> set[bytes]:
        """Everything in what came under some tags that could be of one client alone."""
        found = {
            payload[start : start + WINDOW_BYTES]
            for tag in tags
            for payload in self.seen[tag]
            for start in range(len(payload) - WINDOW_BYTES + 1)
        }
        return {each for each in found if len(set(each)) >= LEAST_DISTINCT_BYTES}

    def question_numbers(self, tag: SenderTag) -> list[int]:
        frames = map(StreamFrame.decode, self.seen[tag])
        return [each.sequence for each in frames if each.message_type is MessageType.ASK]


def without_minute(frame: bytes) -> bytes:
    if frame[TYPE_OFFSET] != MessageType.OFFER:
        return frame
    return frame[: MINUTE_OF_OFFER.start] + bytes(4) + frame[MINUTE_OF_OFFER.stop :]


async def echo(stream: MixnetStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


async def ask(stream: MixnetStream, data: bytes) -> None:
    """Have the other end say what we say; that may take a move."""
    await stream.send(data)
    answer = b""
    with anyio.fail_after(300):
        while len(answer) < len(data):
            answer += await stream.receive()
    assert answer == data


def swallow_first(message: MemoryMessage) -> MessageFate:
    return MessageFate.VANISH if message.recipient == "first" else MessageFate.DELIVER


@dataclass
class Scene:
    """A client with a stream to each of two servers that work together."""

    network: MemoryNetwork
    servers: Colluders
    client: MemoryEndpoint
    addresses: tuple[NymAddress, NymAddress]
    streams: tuple[MixnetStream, MixnetStream]

    @property
    def tags(self) -> tuple[SenderTag, SenderTag]:
        """Under which each server was dialed."""
        first, second = self.addresses
        return self.client.sender_tag_for(first), self.client.sender_tag_for(second)


@asynccontextmanager
async def colluding(seed: int = 1) -> AsyncIterator[Scene]:
    draw = random.Random(f"colluders {seed}").randbytes
    async with MemoryNetwork(seed=seed) as network:
        both = [MemoryClient(network.endpoint(name)) for name in ("first", "second")]
        async with (
            Colluders(both) as servers,
            StreamEndpoint(servers, random_bytes=draw) as accepting,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(accepting.listener().serve, echo, tasks)
            client = network.endpoint("client")
            async with StreamEndpoint(client, random_bytes=draw, grace_seconds=0) as dialing:
                first, second = (each.address for each in both)
                streams = await dialing.open_stream(first), await dialing.open_stream(second)
                for stream in streams:
                    await ask(stream, draw(3000))
                yield Scene(network, servers, client, (first, second), streams)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(6))
def test_where_a_server_sends_us_we_are_strangers(seed: int) -> None:
    """It was asked under the tag of the user's own streams there: both knew the same client.

    With every other seed nobody else was asked at all within the 100 s that the server waits: what
    it said meanwhile passed for an answer, though nothing of ours had reached it.
    """

    async def main() -> None:
        async with colluding(seed) as scene:
            servers, (to_first, to_second) = scene.servers, scene.streams
            scene.network.faults = MemoryFaults(choose_fate=swallow_first)
            await ask(to_first, random.Random(1).randbytes(3000))
            await ask(to_second, random.Random(2).randbytes(3000))
            of_first, own = scene.tags
            [told] = servers.seen.keys() - {of_first, own}
            # It has moved there, and the two who run it have nothing to know it by.
            assert servers.address_for(told) == servers.address_for(own) == scene.addresses[1]
            assert servers.windows([own])
            common = servers.windows([own]) & servers.windows([of_first, told])
            assert not common, sorted(common)
            assert servers.question_numbers(told)[0] == 1
            numbers = servers.question_numbers(own)
            assert numbers == list(range(1, len(numbers) + 1))

    on_virtual_time(main)


def test_what_comes_through_another_servers_surbs_is_not_taken() -> None:
    """An answer of one server that came through the SURBs of another one was: both knew that they
    were of one client as soon as it went on."""

    async def main() -> None:
        async with colluding() as scene:
            of_first, of_second = scene.tags
            scene.servers.crossed[of_first] = of_second
            await ask(scene.streams[0], b"who answers?")
            # Nobody, for the client: so it has asked where the first server had said, and as one
            # whom nobody knows there.
            assert len(scene.servers.seen.keys() - {of_first, of_second}) == 1

    on_virtual_time(main)
