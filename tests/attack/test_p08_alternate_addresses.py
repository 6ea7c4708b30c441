"""P 8 of NX2: a server names another server's address as its own, and the two compare notes."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

import anyio

from nymproxy.mixnet.client.group import ClientGroup
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import MemoryFaults, MemoryNetwork, MessageFate
from tests.legacy.memory_clients import MemoryClient
from tests.stream.support import on_virtual_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nymproxy.address import SenderTag
    from nymproxy.mixnet.transport import Received
    from nymproxy.stream.stream import MixnetStream
    from nymproxy.testing import MemoryMessage

WINDOW_BYTES = 8
"""As long as the shortest random value, an id."""
LEAST_DISTINCT_BYTES = 7
"""Below that a window is of zeros, limits and the time, which are the same of every client."""


class Colluders(ClientGroup):
    """Two servers for who dials them, and one for those who run them: each names the other's
    address in its ACCEPTs, both have all keys, and what comes to either is written down."""

    def __init__(self, clients: Sequence[MemoryClient]) -> None:
        super().__init__(clients)
        self.seen: defaultdict[SenderTag, list[bytes]] = defaultdict(list)

    async def next_message(self) -> Received:
        received = await super().next_message()
        if received.sender_tag is not None:
            self.seen[received.sender_tag].append(received.payload)
        return received

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


def test_where_a_server_sends_us_we_are_strangers() -> None:
    """It was asked under the tag of the user's own streams there: both knew the same client."""

    async def main() -> None:
        draw = random.Random("colluders").randbytes
        async with MemoryNetwork(seed=1) as network:
            first, second = (MemoryClient(network.endpoint(name)) for name in ("first", "second"))
            async with (
                Colluders([first, second]) as servers,
                StreamEndpoint(servers, random_bytes=draw) as accepting,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(accepting.listener().serve, echo, tasks)
                dialer = network.endpoint("dialer")
                async with StreamEndpoint(dialer, random_bytes=draw, grace_seconds=0) as dialing:
                    to_first = await dialing.open_stream(first.address)
                    to_second = await dialing.open_stream(second.address)
                    for stream in (to_first, to_second):
                        await ask(stream, draw(3000))
                    first.endpoint.disconnect()
                    network.faults = MemoryFaults(choose_fate=swallow_first)
                    await ask(to_first, draw(3000))
                    await ask(to_second, draw(3000))
                    own = dialer.sender_tag_for(second.address)
                    [told] = servers.seen.keys() - {own, dialer.sender_tag_for(first.address)}
                    # It has moved there, and the two who run it have nothing to know it by.
                    assert servers.address_for(told) == servers.address_for(own) == second.address
                    assert servers.windows([own])
                    others = servers.windows(servers.seen.keys() - {own})
                    common = servers.windows([own]) & others
                    assert not common, sorted(common)
                    assert servers.question_numbers(told)[0] == 1
                    numbers = servers.question_numbers(own)
                    assert numbers == list(range(1, len(numbers) + 1))
                tasks.cancel_scope.cancel()

    on_virtual_time(main)
