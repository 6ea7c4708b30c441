"""A process that stands still over key rotations, and wakes with SURBs and routes long dead.

Real machines over a network in memory, in virtual time. In the middle of a download one of both
ends is stopped, and goes on when all else has gone on for minutes; then the app opens another
connection, whose echo must not wait for what the sleeper has to find out. What apps have asked for
that are gone by then is not carried out.
"""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.channel import PeerMemory
from nymproxy.channel.mux import ChannelMux
from nymproxy.errors import NymError
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import StreamOptions
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.channel.async_pair import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

    from nymproxy.channel.acceptor import ChannelAcceptor
    from nymproxy.channel.channel import Channel
    from nymproxy.channel.protocol import ChannelProtocol
    from nymproxy.testing import MemoryEndpoint

EPOCH_SECONDS = 10.0
ROTATION_SECONDS = 20.0
FETCH_SECONDS = 0.3
DOWNLOAD_BYTES = 300_000
ECHO_SECONDS = 5.0
UNIX = 29_000_000 * 60.0


@dataclass
class Sleepers:
    """Two ends, of which either may be stopped, in a network whose keys rotate.

    Attributes:
        sleeper: the end that is stopped.
        served: what connections have begun with.
        directory_returns_at: until then it learns of no rotation.
    """

    network: MemoryNetwork
    tasks: TaskGroup
    protocol: ChannelProtocol
    dialing: ChannelMux
    client: MemoryEndpoint
    server: MemoryEndpoint
    sleeper: MemoryEndpoint
    served: list[bytes]
    directory_returns_at: float = 0.0

    async def rotate(self) -> None:
        """Let the keys rotate for ever; each end hears of it soon, unless it sleeps."""
        while True:
            await anyio.sleep(EPOCH_SECONDS)
            self.network.mixnet.end_overlap()
            await anyio.sleep(ROTATION_SECONDS - EPOCH_SECONDS)
            self.network.mixnet.rotate()
            for end in (self.client, self.server):
                self.tasks.start_soon(self.refresh, end)

    async def refresh(self, end: MemoryEndpoint) -> None:
        """Ask the directory."""
        due = anyio.current_time() + FETCH_SECONDS
        returns_at = self.directory_returns_at if end is self.sleeper else 0.0
        await anyio.sleep_until(max(due, returns_at))
        if not end.is_suspended:
            end.learn_rotation(EPOCH_SECONDS)

    async def sleep(self, seconds: float, directory_gone_seconds: float) -> None:
        """Stop the sleeper for so long. Awake, it refreshes what it knows at once, or as soon as
        the directory is there."""
        self.sleeper.suspend()
        await anyio.sleep(seconds)
        self.sleeper.resume()
        self.directory_returns_at = anyio.current_time() + directory_gone_seconds
        self.tasks.start_soon(self.refresh, self.sleeper)

    async def connect(self) -> Channel:
        """Open a connection."""
        return await self.dialing.open(self.protocol, self.server.address)

    async def echo_seconds(self) -> float:
        """Return how long the first byte of a new connection takes there and back."""
        began = anyio.current_time()
        channel = await self.connect()
        await channel.send(b"x")
        assert await channel.receive() == b"x"
        return anyio.current_time() - began


async def serve(tasks: TaskGroup, listener: ChannelAcceptor, served: list[bytes]) -> None:
    """Send a payload to who asks with ``d``, and everything back to others."""

    async def handle(channel: Channel) -> None:
        try:
            question = await channel.receive()
            served.append(question)
            await channel.send(bytes(DOWNLOAD_BYTES) if question == b"d" else question)
            await channel.send_eof()
        except (anyio.BrokenResourceError, NymError):
            await channel.aclose()  # its peer has been told, or has told it

    while True:
        tasks.start_soon(handle, await listener.accept())


@asynccontextmanager
async def sleepers(
    wire: str, sleeper: str, phase_seconds: float, memory: PeerMemory | None = None
) -> AsyncIterator[Sleepers]:
    """Run both ends; the keys rotate ``phase_seconds`` before a multiple of their time."""
    protocol = (
        LegacyProtocol()
        if wire == "legacy"
        else StreamProtocol(StreamOptions(), memory or PeerMemory())
    )
    faults = MemoryFaults(delay_seconds=0.02, jitter_seconds=0.02)
    source = random.Random(1)
    async with MemoryNetwork(faults=faults) as network, anyio.create_task_group() as tasks:
        client, server = network.endpoint("client"), network.endpoint("server")
        dialing, accepting = (
            ChannelMux(
                end,
                [protocol],
                random_bytes=source.randbytes,
                grace_seconds=0.0,
                unix_time=lambda: UNIX + anyio.current_time(),
            )
            for end in (client, server)
        )
        async with dialing, accepting:
            served: list[bytes] = []
            tasks.start_soon(serve, tasks, accepting.listen(protocol), served)
            end = server if sleeper == "server" else client
            made = Sleepers(network, tasks, protocol, dialing, client, server, end, served)
            tasks.start_soon(made.rotate)
            await anyio.sleep(phase_seconds)
            yield made
            tasks.cancel_scope.cancel()


async def download_is_complete_or_told(channel: Channel, received: int) -> None:
    """Read the rest."""
    while True:
        try:
            received += len(await channel.receive())
        except anyio.EndOfStream:
            assert received == DOWNLOAD_BYTES
            return
        except (NymError, anyio.BrokenResourceError):
            return


def seconds_to_echo(
    wire: str, sleeper: str, phase: float, asleep: float, directory_gone: float = 0.0
) -> float:
    """Return how long after a sleep the first echo takes."""
    seconds = []

    async def main() -> None:
        async with sleepers(wire, sleeper, phase) as made:
            download = await made.connect()
            await download.send(b"d")
            received = len(await download.receive())
            await made.sleep(asleep, directory_gone)
            seconds.append(await made.echo_seconds())
            await download_is_complete_or_told(download, received)

    run_in_virtual_time(main)
    return seconds[0]


@pytest.mark.parametrize("phase", [1.0, 7.0])
@pytest.mark.parametrize("sleeper", ["client", "server"])
@pytest.mark.parametrize("wire", ["legacy", "stream"])
def test_asleep_over_five_rotations(wire: str, sleeper: str, phase: float) -> None:
    assert seconds_to_echo(wire, sleeper, phase, asleep=107.0) <= ECHO_SECONDS


@pytest.mark.parametrize(
    ("phase", "asleep"),
    [
        pytest.param(1.0, 15.0, id="in one rotation"),
        pytest.param(17.0, 8.0, id="shorter than the overlap"),
        pytest.param(17.0, 30.0, id="over two rotations"),
    ],
)
@pytest.mark.parametrize("sleeper", ["client", "server"])
def test_asleep_for_less(sleeper: str, phase: float, asleep: float) -> None:
    assert seconds_to_echo("stream", sleeper, phase, asleep) <= ECHO_SECONDS


def test_a_server_that_cannot_ask_the_directory_on_waking_answers_all_the_same() -> None:
    seconds = seconds_to_echo("stream", "server", 14.0, asleep=107.0, directory_gone=60.0)
    assert seconds <= ECHO_SECONDS


def test_a_client_that_cannot_ask_the_directory_on_waking_is_heard_when_it_can() -> None:
    seconds = seconds_to_echo("stream", "client", 14.0, asleep=107.0, directory_gone=20.0)
    assert seconds <= 20.0 + ECHO_SECONDS


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    ("away", "seconds"),
    [
        pytest.param("suspended", 8 * 60.0, id="stopped until all is stale"),
        pytest.param("suspended", 6 * 60.0, id="stopped"),
        pytest.param("disconnected", 150.0, id="idle, without a gateway"),
    ],
)
def test_what_apps_long_gone_have_asked_for_is_not_carried_out(
    away: str, seconds: float, is_known: bool
) -> None:
    """The server is away, and has no streams; the client is killed, and says nothing any more."""

    async def main() -> None:
        memory = PeerMemory()
        async with sleepers("stream", "server", 1.0, memory) as made:
            if is_known:
                memory.remember_sealed(made.server.address)
            if away == "suspended":
                made.server.suspend()
            else:
                made.server.disconnect()
            channel = await made.connect()
            await channel.send(b"a request")
            await anyio.sleep(1.0)
            made.client.suspend()
            await anyio.sleep(seconds)
            if away == "suspended":
                made.server.resume()
            else:
                made.server.reconnect()
            await anyio.sleep(150.0)
            assert made.served == []

    run_in_virtual_time(main)
