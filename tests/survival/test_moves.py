"""A gateway is removed for good in the middle of a transfer, on either side: every byte arrives."""

from __future__ import annotations

import hashlib
import logging
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import anyio
import pytest

from nymproxy.legacy.client import NymProxyClient
from nymproxy.legacy.server import NymProxyServer
from nymproxy.localnet import Localnet, LocalnetConfig
from nymproxy.mixnet.directory import NetworkDetails
from tests.legacy.proxies import upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream

    from nymproxy.legacy.identities import IdentityMode
    from nymproxy.localnet import RunningLocalnet

logger = logging.getLogger("nymproxy.tests")
Side = Literal["client", "server"]
Way = Literal["up", "down"]
LONGEST_PAUSE_SECONDS = {"bare": 15.0, "default": 25.0}
"""Promised, by profile."""
CHUNK_BYTES = 16 * 1024


@dataclass
class Reader:
    """Reads to the end, and watches how long nothing comes."""

    half: int
    is_half_read: anyio.Event
    has_ended: anyio.Event = field(default_factory=anyio.Event)
    received: int = 0
    longest_pause: float = 0.0
    digest: str = ""

    async def read(self, stream: SocketStream) -> None:
        digest = hashlib.sha256()
        last = anyio.current_time()
        async for data in stream:
            now = anyio.current_time()
            self.longest_pause = max(self.longest_pause, now - last)
            last = now
            digest.update(data)
            self.received += len(data)
            if self.received >= self.half:
                self.is_half_read.set()
        self.digest = digest.hexdigest()
        self.has_ended.set()


@dataclass
class Scene:
    """Both proxies, on a network whose gateways can be taken away."""

    localnet: RunningLocalnet
    server: NymProxyServer
    client: NymProxyClient

    async def gateway_of(self, side: Side) -> str:
        """The name of the gateway that the side's traffic goes through."""
        names = {info.identity: info.name for info in self.localnet.gateways}
        if side == "server":
            return names[self.server.nym_address().gateway]
        servers = {str(each).partition(".")[0] for each in self.server.nym_addresses()}
        (name,) = (
            name
            for name, identities in (await self.localnet.clients()).items()
            if set(identities) - servers
        )
        return name


@asynccontextmanager
async def proxies(
    handler: Callable[[SocketStream], Awaitable[None]], mode: IdentityMode, profile: str
) -> AsyncIterator[Scene]:
    """A server at two gateways of five, and a client that knows its first address."""
    async with (
        Localnet(LocalnetConfig(gateways=5)) as localnet,
        upstream(handler) as address,
        anyio.create_task_group() as tasks,
    ):
        network = NetworkDetails.from_env_file(localnet.env_file)
        gateways = [info.identity for info in localnet.gateways[:2]]
        server = await NymProxyServer.create(
            address, None, gateway=gateways, network=network, profile=profile
        )
        await tasks.start(server.run)
        async with NymProxyClient(
            server.nym_address(),
            listen_port=0,
            wire="stream",
            identity_mode=mode,
            default_client_amount=0,
            network=network,
            profile=profile,
        ) as client:
            yield Scene(localnet, server, client)
        await server.disconnect()


class Transfer:
    """Bytes one way, of which the second half is written when the gateway is gone."""

    def __init__(self, way: Way, size: int) -> None:
        self.payload = random.Random(1).randbytes(size)
        self.is_gone = anyio.Event()
        self.reader = Reader(size // 2, anyio.Event())
        self._way = way

    async def serve(self, stream: SocketStream) -> None:
        """The upstream's part."""
        if self._way == "up":
            await self.reader.read(stream)
            await stream.send(b"!")
        else:
            assert await stream.receive() == b"?"
            await stream.send(b"!")
            assert await stream.receive() == b"?"
            await self._write(stream)
        await stream.send_eof()

    async def run(self, stream: SocketStream) -> None:
        """The app's part."""
        if self._way == "up":
            await self._write(stream)
            assert await stream.receive() == b"!"
        else:
            await stream.send(b"?")
            assert await stream.receive() == b"!"
            await stream.send(b"?")  # sealed: only a stream that has shown its keys can move
            await self.reader.read(stream)

    async def _write(self, stream: SocketStream) -> None:
        size = len(self.payload)
        for start in range(0, size, CHUNK_BYTES):
            if start >= size // 2 + CHUNK_BYTES:
                await self.is_gone.wait()
            await stream.send(self.payload[start : start + CHUNK_BYTES])
        await stream.send_eof()


async def pause_of(
    side: Side, way: Way, size: int, mode: IdentityMode = "shared", profile: str = "bare"
) -> float:
    """Remove a side's gateway in the middle of a transfer; return the longest pause."""
    transfer = Transfer(way, size)
    async with (
        proxies(transfer.serve, mode, profile) as scene,
        await anyio.connect_tcp(*scene.client.local_address) as app,
        anyio.create_task_group() as tasks,
    ):
        with anyio.fail_after(400):
            tasks.start_soon(transfer.run, app)
            await transfer.reader.is_half_read.wait()
            await scene.localnet.remove_node(await scene.gateway_of(side))
            transfer.is_gone.set()
            await transfer.reader.has_ended.wait()
    assert transfer.reader.digest == hashlib.sha256(transfer.payload).hexdigest()
    return transfer.reader.longest_pause


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a client not wait long for its gateway."""
    monkeypatch.setattr("nymproxy.legacy.connector.HASTY_PATIENCE_SECONDS", 0.2)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_client_whose_gateway_is_removed_goes_on_at_another(impatient: None) -> None:
    assert await pause_of("client", "down", 200_000) <= LONGEST_PAUSE_SECONDS["bare"]


@pytest.mark.exhaustive
@pytest.mark.timeout(500)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("profile", ["bare", "default"])
@pytest.mark.parametrize("mode", ["shared", "per-connection"])
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("way", ["up", "down"])
async def test_three_megabytes_arrive_though_a_gateway_is_removed(
    side: Side, way: Way, mode: IdentityMode, profile: str
) -> None:
    pause = await pause_of(side, way, 3_000_000, mode, profile)
    logger.info("the longest pause was %.1f s", pause)
    assert pause <= LONGEST_PAUSE_SECONDS[profile]
