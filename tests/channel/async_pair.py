"""Two multiplexers over a network in memory, for the tests of the async shells."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
import trio
import trio.testing

from nymproxy.channel.mux import ChannelMux
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import STREAM_RULES, StreamOptions
from nymproxy.testing import MemoryEndpoint, MemoryFaults, MemoryNetwork
from tests.channel.builders import changed_rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from nymproxy.channel.acceptor import ChannelAcceptor
    from nymproxy.channel.channel import Channel
    from nymproxy.channel.limits import TableLimits


@dataclass
class AsyncPair:
    """A dialing and an accepting client, each with its multiplexer."""

    network: MemoryNetwork
    dialer: MemoryEndpoint
    acceptor: MemoryEndpoint
    dialing: ChannelMux
    accepting: ChannelMux
    protocol: StreamProtocol
    listener: ChannelAcceptor

    async def connect(self) -> tuple[Channel, Channel]:
        """Open a channel; return both its ends."""
        dialed = await self.dialing.open(self.protocol, self.acceptor.address)
        with anyio.fail_after(60):
            return dialed, await self.listener.accept()


@asynccontextmanager
async def async_pair(
    faults: MemoryFaults | None = None,
    *,
    options: StreamOptions | None = None,
    limits: TableLimits | None = None,
    backlog: int = 128,
    **rules: Any,
) -> AsyncIterator[AsyncPair]:
    options = options or StreamOptions(seals=False)  # of NX2 tests/stream/nx2 speaks
    options = replace(options, rules=changed_rules(STREAM_RULES, **rules))
    protocol = StreamProtocol(options)
    source = random.Random(1)
    async with MemoryNetwork(faults=faults) as network:
        dialer, acceptor = network.endpoint("dialer"), network.endpoint("acceptor")
        dialing, accepting = (
            ChannelMux(
                endpoint,
                [protocol],
                random_bytes=source.randbytes,
                limits=limits,
                grace_seconds=0.0,
            )
            for endpoint in (dialer, acceptor)
        )
        async with dialing, accepting:
            listener = accepting.listen(protocol, backlog=backlog)
            yield AsyncPair(network, dialer, acceptor, dialing, accepting, protocol, listener)


def run_in_virtual_time(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test on trio with a clock that jumps over every pause."""

    async def main() -> None:
        with trio.fail_after(100_000):
            await test()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def read_to_end(channel: Channel, max_bytes: int = 65536) -> bytes:
    """Everything up to the end of the peer's direction."""
    received = bytearray()
    while True:
        try:
            received += await channel.receive(max_bytes)
        except anyio.EndOfStream:
            return bytes(received)
