"""Sealed streams on the real stack, whose gateways alter, replay and lose what they push."""

from __future__ import annotations

import hashlib
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.localnet import FaultPlan, Localnet
from nymproxy.localnet.faults import PushAction, PushFault
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.stream.client import MixnetClient
from nymproxy.stream.traits import StreamOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.localnet import RunningLocalnet
    from nymproxy.stream.stream import MixnetStream

SEALED = StreamOptions()
HOSTILE = FaultPlan(
    pushes=(
        PushFault(action=PushAction.SWALLOW, packet="regular", probability=0.02),
        PushFault(action=PushAction.ALTER, packet="regular", probability=0.01),
        PushFault(action=PushAction.REPLAY, packet="regular", probability=0.01, jitter_seconds=2.0),
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


async def send(stream: MixnetStream, data: bytes) -> None:
    await stream.send(data)
    await stream.send_eof()


async def digest_of(stream: MixnetStream) -> str:
    digest = hashlib.sha256()
    async for part in stream:
        digest.update(part)
    return digest.hexdigest()


async def transfer_both_ways(size: int, times: int) -> None:
    source = random.Random(1)
    async with (
        Localnet() as localnet,
        client(localnet, 0) as dialer,
        client(localnet, 1) as acceptor,
        acceptor.listener() as listener,
    ):
        first = await dialer.open_stream(acceptor.address, wait=True, timeout=30)
        await first.aclose()
        await (await listener.accept()).aclose()
        await localnet.set_faults(HOSTILE)
        for _ in range(times):
            up, down = source.randbytes(size), source.randbytes(size)
            dialed = await dialer.open_stream(acceptor.address)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send, dialed, up)
                accepted = await listener.accept()
                tasks.start_soon(send, accepted, down)
                assert await digest_of(accepted) == hashlib.sha256(up).hexdigest()
                assert await digest_of(dialed) == hashlib.sha256(down).hexdigest()
            await dialed.aclose()
            await accepted.aclose()


@pytest.mark.slow
async def test_hostile_gateways_cost_time_alone() -> None:
    await transfer_both_ways(20_000, 1)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
async def test_three_megabytes_each_way_twenty_times() -> None:
    await transfer_both_ways(3_000_000, 20)
