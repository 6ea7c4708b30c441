"""A 2: a session that outlives its channel, and the id that opens again, end no other session.

The peer has an upstream that half-closes and does not read, pushes the channel's tombstone out with
pairs of Open and RESET, and opens the same id again.
"""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import SocketAttribute

from nymproxy.channel.limits import TableLimits
from nymproxy.errors import ResetCode
from nymproxy.forward import forwarder
from nymproxy.legacy.session import Session
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.legacy.proxies import proxies, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import pytest
    from anyio.abc import SocketStream

    from nymproxy.address import NymAddress
    from nymproxy.legacy.server import NymProxyServer
    from nymproxy.legacy.session import SessionSnapshot
    from nymproxy.testing import MemoryEndpoint
    from tests.attack.figures import AttackFigures
    from tests.legacy.proxies import Proxies

CAPABILITIES = 0xA3
PAIRS = 100
TOMBSTONES = 20
STREAM_ID = 0x1122334455667788
FRAME_BYTES = 32 * 1024
FRAMES = 144
"""4.5 MiB: more than the sockets take, less than the window allows at the most."""


async def half_closes(stream: SocketStream) -> None:
    """Echoes until it is told to stop, and then neither reads nor ends."""
    raw_socket = stream.extra(SocketAttribute.raw_socket)
    raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    async for data in stream:
        if data.startswith(b"stop"):
            await stream.send_eof()
            await anyio.sleep_forever()
        await stream.send(data)


class Attacker:
    """Sends bare frames, and reads nothing."""

    def __init__(self, endpoint: MemoryEndpoint, server: NymAddress) -> None:
        self._endpoint = endpoint
        self._server = server

    async def send(
        self, kind: MessageType, stream_id: int, sequence: int = 0, payload: bytes = b""
    ) -> None:
        frame = StreamFrame(stream_id, kind, sequence, payload, CAPABILITIES)
        delivery = await self._endpoint.send(self._server, frame.encode(), surbs=20)
        await delivery.acknowledged()

    async def leave_a_session_behind(self, server: NymProxyServer) -> None:
        """Its channel ends in order on both sides; its upstream does not take what came last."""
        await self.send(MessageType.OPEN, STREAM_ID)
        await self.send(MessageType.DATA, STREAM_ID, 0, b"stop")
        async with anyio.create_task_group() as tasks:
            for number in range(FRAMES):
                tasks.start_soon(
                    self.send, MessageType.DATA, STREAM_ID, number + 1, bytes(FRAME_BYTES)
                )
        await self.send(MessageType.FIN, STREAM_ID, FRAMES + 1)
        await until(lambda: attacked(server).bytes_from_peer > FRAME_BYTES)

    async def open_and_reset(self, pairs: int) -> None:
        for number in range(pairs):
            await self.send(MessageType.OPEN, number)
            await self.send(MessageType.RESET, number, 0, ResetCode.CANCELLED.to_bytes(4, "big"))


def attacked(server: NymProxyServer) -> SessionSnapshot:
    """The session that stays; the first is that of the honest client."""
    return server.session_map()[2]


@asynccontextmanager
async def attack_of(
    network: MemoryNetwork, attack_figures: AttackFigures
) -> AsyncIterator[tuple[Proxies, Callable[[], Awaitable[None]]]]:
    """An honest client beside the attack; gives what makes one request of it."""
    async with (
        proxies(network, half_closes, wire="stream", identity_mode="shared") as both,
        await both.connect() as app,
    ):

        async def ask() -> None:
            with attack_figures.honest(), anyio.fail_after(30):
                await app.send(b"hello")
                assert await app.receive() == b"hello"

        await ask()
        yield both, ask


async def test_an_id_that_opens_again_while_its_session_runs(
    attack_figures: AttackFigures, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(TableLimits, tombstones=TOMBSTONES)
    monkeypatch.setattr("nymproxy.legacy.server.TableLimits", few)
    async with (
        MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network,
        attack_of(network, attack_figures) as (both, ask),
    ):
        attacker = Attacker(network.endpoint("attacker"), both.server.nym_address())
        with attack_figures.attack(f"1 session left behind, {PAIRS} pairs, the id again"):
            await attacker.leave_a_session_behind(both.server)
            await attacker.open_and_reset(PAIRS)
            await attacker.send(MessageType.OPEN, STREAM_ID)
            for _ in range(5):
                await ask()
            assert len(both.server.session_map()) == 2
        await ask()
    attack_figures.check(memory_limit_bytes=64 << 20)


async def test_a_session_whose_upstream_takes_nothing_ends(
    attack_figures: AttackFigures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "STALLED_SECONDS", 0.2)
    async with (
        MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network,
        attack_of(network, attack_figures) as (both, ask),
    ):
        attacker = Attacker(network.endpoint("attacker"), both.server.nym_address())
        with attack_figures.attack("1 upstream that never reads"):
            await attacker.leave_a_session_behind(both.server)
            await until(lambda: len(both.server.session_map()) == 1)
            await ask()
        await ask()
    attack_figures.check(memory_limit_bytes=64 << 20)


async def test_a_fault_in_one_session_ends_that_one(
    attack_figures: AttackFigures, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the fault may be: here the session of a peer raises what it should not."""
    run = Session.run

    async def faulty(session: Session, *arguments: Any, **options: Any) -> Any:
        if session.number == 2:
            raise KeyError("a fault that nobody has thought of")
        return await run(session, *arguments, **options)

    monkeypatch.setattr(Session, "run", faulty)
    async with (
        MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network,
        attack_of(network, attack_figures) as (both, ask),
    ):
        attacker = Attacker(network.endpoint("attacker"), both.server.nym_address())
        with attack_figures.attack("1 session with a fault"):
            await attacker.send(MessageType.OPEN, STREAM_ID)
            await until(lambda: "Session 2 ended: KeyError" in caplog.messages)
            assert len(both.server.session_map()) == 1
            await ask()
        await ask()
    attack_figures.check(memory_limit_bytes=64 << 20)
