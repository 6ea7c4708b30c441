"""What the tests of streams share: two endpoints in memory, and a peer made of bare frames."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import anyio
import trio
import trio.testing

from nymproxy.address import NymAddress, SenderTag
from nymproxy.stream import StreamOptions
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import MemoryEndpoint, MemoryFaults, MemoryNetwork, MessageKind
from tests.channel.builders import changed_rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Any

    from nymproxy.mixnet.transport import Received
    from nymproxy.stream.listener import MixnetListener
    from nymproxy.stream.stream import MixnetStream

T = TypeVar("T")

NX1 = StreamOptions(seals=False)
"""For what NX1 does by itself; with NX2 our ends seal its frames."""
PLAIN = StreamOptions(extensions=False)
"""Our side behaves as towards, and looks like, a Rust peer."""


def with_rules(options: StreamOptions | None = None, **changes: Any) -> StreamOptions:
    """Return options with other rules."""
    options = options or StreamOptions()
    return replace(options, rules=changed_rules(options.rules, **changes))


@dataclass
class Pair:
    """Two endpoints; ``acceptor`` has a listener."""

    network: MemoryNetwork
    dialer: StreamEndpoint
    acceptor: StreamEndpoint
    listener: MixnetListener

    @property
    def links(self) -> tuple[MemoryEndpoint, MemoryEndpoint]:
        """The transports of dialer and acceptor."""
        found = [self.network.find(end.address) for end in (self.dialer, self.acceptor)]
        assert found[0] is not None
        assert found[1] is not None
        return found[0], found[1]

    async def connect(self, **arguments: Any) -> tuple[MixnetStream, MixnetStream]:
        """Open a stream; return both its ends."""
        dialed = await self.dialer.open_stream(self.acceptor.address, **arguments)
        with anyio.fail_after(120):  # an Open has ten packets, and each may be lost a few times
            return dialed, await self.listener.accept()

    def frames(self, sender: str = "dialer") -> list[StreamFrame]:
        """Return what one side sent, decoded."""
        return frames_of(self.network, sender)


def frames_of(network: MemoryNetwork, sender: str) -> list[StreamFrame]:
    """Return the stream frames that one endpoint sent."""
    return [
        StreamFrame.decode(message.payload)
        for message in network.messages()
        if message.sender == sender and message.kind in (MessageKind.MESSAGE, MessageKind.REPLY)
    ]


@asynccontextmanager
async def connected_pair(
    *,
    options: StreamOptions | None = None,
    peer_options: StreamOptions | None = None,
    faults: MemoryFaults | None = None,
    seed: int = 0,
    grace_seconds: float = 0.0,
) -> AsyncIterator[Pair]:
    """Run a dialer (``options``) and an acceptor (``peer_options``, default the same)."""
    async with (
        MemoryNetwork(seed=seed, faults=faults) as network,
        StreamEndpoint(
            network.endpoint("dialer"), options=options, grace_seconds=grace_seconds
        ) as dialer,
        StreamEndpoint(
            network.endpoint("acceptor"),
            options=peer_options or options,
            grace_seconds=grace_seconds,
        ) as acceptor,
    ):
        yield Pair(network, dialer, acceptor, acceptor.listener())


class BarePeer:
    """A peer that sends and reads single frames, as a Rust program of version 1.21.6 would."""

    def __init__(self, network: MemoryNetwork, name: str = "bare") -> None:
        self.transport = network.endpoint(name)
        self.address = self.transport.address
        self._incoming = self.transport.receive()

    async def send(
        self,
        to: NymAddress | SenderTag,
        message_type: MessageType,
        stream_id: int,
        sequence: int = 0,
        payload: bytes = b"",
        *,
        capability_byte: int = 0,
        surbs: int = 20,
    ) -> None:
        """Send one frame and wait until it has arrived at the peer's gateway."""
        frame = StreamFrame(stream_id, message_type, sequence, payload, capability_byte)
        delivery = await self.transport.send(
            to, frame.encode(), surbs=0 if isinstance(to, SenderTag) else surbs
        )
        await delivery.acknowledged()

    async def open(self, to: NymAddress, stream_id: int, **arguments: Any) -> None:
        """Send an Open."""
        await self.send(to, MessageType.OPEN, stream_id, **arguments)

    async def data(
        self, to: NymAddress | SenderTag, stream_id: int, sequence: int, payload: bytes, **more: Any
    ) -> None:
        """Send a Data frame."""
        await self.send(to, MessageType.DATA, stream_id, sequence, payload, **more)

    async def receive(self) -> tuple[StreamFrame, SenderTag | None]:
        """Return the next frame and the tag of its sender; OFFERs mean nothing to it."""
        while True:
            with anyio.fail_after(30):
                received: Received = await anext(self._incoming)
            frame = StreamFrame.decode(received.payload)
            if frame.message_type is not MessageType.OFFER:
                return frame, received.sender_tag


async def receive_exactly(stream: MixnetStream, count: int) -> bytes:
    """Receive ``count`` bytes, no more."""
    got = bytearray()
    while len(got) < count:
        got += await stream.receive(count - len(got))
    return bytes(got)


async def receive_all(stream: MixnetStream) -> bytes:
    """Receive until the end."""
    return b"".join([part async for part in stream])


def on_virtual_time(test: Callable[[], Awaitable[T]]) -> T:
    """Run an async function under trio, whose clock jumps over every wait."""
    return trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))
