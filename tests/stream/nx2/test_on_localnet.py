"""Sealed streams on the real stack, whose gateways alter, replay and lose what they push."""

from __future__ import annotations

import hashlib
import logging
import random
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.localnet import FaultPlan, Localnet
from nymproxy.localnet.faults import PushAction, PushFault
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.stream.client import MixnetClient
from nymproxy.stream.nx2.prefix import MAX_PREFIX_BYTES
from nymproxy.stream.stream import StreamAttribute
from nymproxy.stream.traits import StreamOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.errors import NymError
    from nymproxy.localnet import RunningLocalnet
    from nymproxy.stream.listener import MixnetListener
    from nymproxy.stream.stream import MixnetStream

logger = logging.getLogger("nymproxy.tests")
SEALED = StreamOptions()
HOSTILE = FaultPlan(
    pushes=(
        PushFault(action=PushAction.SWALLOW, probability=0.02),
        PushFault(action=PushAction.ALTER, probability=0.01),
        PushFault(action=PushAction.REPLAY, probability=0.01, jitter_seconds=2.0),
    )
)


@asynccontextmanager
async def client(localnet: RunningLocalnet, gateway: int) -> AsyncIterator[MixnetClient]:
    network = NetworkDetails.from_directory_url(localnet.directory_url)
    identity = localnet.gateways[gateway].identity
    async with await MixnetClient.connect(
        network, gateway=identity, profile="bare", stream_options=SEALED
    ) as connected:
        yield connected


class Way:
    """One direction of a stream: what is written, and what its reader has seen."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.received = bytearray()
        self.is_complete = False
        self.error: NymError | None = None

    async def write(self, stream: MixnetStream) -> None:
        with suppress(anyio.BrokenResourceError):  # its reader judges
            await stream.send(self.data)
            await stream.send_eof()

    async def read(self, stream: MixnetStream) -> None:
        try:
            async for part in stream:
                self.received += part
        except anyio.BrokenResourceError:
            self.error = stream.error
        else:
            self.is_complete = True

    def is_right(self, prefix_bytes: int = 0) -> bool:
        """Every byte, or right bytes behind a prefix, and an error."""
        if self.is_complete:
            return self.received == self.data
        size = len(self.received)
        is_right = self.received[prefix_bytes:] == self.data[prefix_bytes:size]
        return self.error is not None and is_right


async def both_ways(dialer: MixnetClient, listener: MixnetListener, size: int) -> tuple[Way, Way]:
    """Transfer so much each way at once, over one stream; neither end goes before both are read."""
    up, down = (Way(random.Random(seed).randbytes(size)) for seed in (1, 2))
    up_was_read, down_was_read = anyio.Event(), anyio.Event()

    async def accept() -> None:
        async with await listener.accept() as accepted, anyio.create_task_group() as tasks:
            tasks.start_soon(down.write, accepted)
            await up.read(accepted)
            up_was_read.set()
            await down_was_read.wait()

    async with (
        await dialer.open_stream(listener.extra(StreamAttribute.local_address)) as dialed,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(accept)
        tasks.start_soon(up.write, dialed)
        await down.read(dialed)
        down_was_read.set()
        if down.error is None:
            await up_was_read.wait()
        else:  # and nothing may ever have been accepted
            with anyio.move_on_after(120):
                await up_was_read.wait()
        tasks.cancel_scope.cancel()
    return up, down


@asynccontextmanager
async def couple(localnet: RunningLocalnet) -> AsyncIterator[tuple[MixnetClient, MixnetListener]]:
    """A dialer, and an acceptor of which nobody has heard."""
    async with (
        client(localnet, 0) as dialer,
        client(localnet, 1) as acceptor,
        acceptor.listener() as listener,
    ):
        yield dialer, listener


def judged(ways: tuple[Way, Way], began: float, prefix_bytes: int = 0) -> bool:
    """Whether both ways are right; the log says what each came to."""
    seconds = anyio.current_time() - began
    for name, way in zip(("up", "down"), ways, strict=True):
        digest = hashlib.sha256(way.received).hexdigest()[:16]
        end = "complete" if way.is_complete else f"ended by {way.error!r}"
        logger.info("%s: %d bytes, %s, %s in %.1f s", name, len(way.received), digest, end, seconds)
    return all(way.is_right(prefix_bytes) for way in ways)


async def to_a_known_peer(size: int, times: int = 1) -> None:
    async with Localnet() as localnet, couple(localnet) as (dialer, listener):
        await both_ways(dialer, listener, 1)
        await localnet.set_faults(HOSTILE)
        found = []
        for _ in range(times):
            began = anyio.current_time()
            ways = await both_ways(dialer, listener, size)
            found.append(judged(ways, began) and all(way.is_complete for way in ways))
    assert found == [True] * times


async def to_unknown_peers(size: int, times: int = 1) -> None:
    """What strangers send before the first ACCEPT may be read altered; an error follows."""
    found = []
    async with Localnet() as localnet:
        await localnet.set_faults(HOSTILE)
        for _ in range(times):
            async with couple(localnet) as pair:
                began = anyio.current_time()
                found.append(judged(await both_ways(*pair, size), began, MAX_PREFIX_BYTES))
    assert found == [True] * times


@pytest.mark.slow
async def test_hostile_gateways_cost_time_alone() -> None:
    await to_a_known_peer(20_000)


@pytest.mark.exhaustive
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_three_megabytes_each_way_twenty_times() -> None:
    await to_a_known_peer(3_000_000, 20)


@pytest.mark.exhaustive
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_three_megabytes_each_way_between_strangers_twenty_times() -> None:
    await to_unknown_peers(3_000_000, 20)
