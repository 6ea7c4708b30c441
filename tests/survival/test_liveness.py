"""Nobody waits for the dead: each side is told in time, and what was lost on the way comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.localnet import FaultPlan, PushAction, PushFault
from tests.survival.scene import (
    End,
    Seen,
    is_complete_or_told,
    read_to_the_end,
    scene,
    send_payload,
    wires,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(200),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]
NO_RESENDING = pytest.mark.xfail(
    strict=True, reason="the old format acknowledges nothing: losses behind the ack are not noticed"
)


async def silence(upstream: SocketStream) -> None:
    """Take everything, say nothing."""
    async for _ in upstream:
        pass


async def echo(upstream: SocketStream) -> None:
    async for data in upstream:
        await upstream.send(data)


async def greeted(app: SocketStream) -> None:
    await app.send(b"x")
    assert await app.receive() == b"x"


@wires()
async def test_a_restarted_server_ends_what_was_open(tmp_path: Path, wire: str) -> None:
    async with scene(tmp_path, wire, echo) as stage, await stage.connect() as app:
        await greeted(app)
        stage.server.child.kill()
        await stage.server.child.process.wait()
        async with stage.stage.server(
            *(stage.localnet.env_file, "127.0.0.1:9"),
            name="again",
            config_dir=tmp_path / "server.config",
        ):
            assert (await read_to_the_end(app, 35)).end is End.RESET


@wires()
async def test_a_killed_client_leaves_nothing_at_the_server(tmp_path: Path, wire: str) -> None:
    gone = anyio.Event()

    async def notice(upstream: SocketStream) -> None:
        try:
            await echo(upstream)
        finally:  # the server resets it
            gone.set()

    async with scene(tmp_path, wire, notice) as stage, await stage.connect() as app:
        await greeted(app)
        stage.client.child.kill()
        with anyio.fail_after(110):
            await gone.wait()


@wires(legacy=NO_RESENDING)
async def test_a_tail_that_a_gateway_loses_comes_or_is_told(tmp_path: Path, wire: str) -> None:
    length, swallowing = 30_000, anyio.Event()

    async def two_parts(upstream: SocketStream) -> None:
        payload_part = length - 1000
        await send_payload(upstream, payload_part)
        await swallowing.wait()
        await send_payload(upstream, 1000, seed=2)

    async with scene(tmp_path, wire, two_parts) as stage, await stage.connect() as app:
        first = b""
        while len(first) < length - 1000:
            first += await app.receive()
        pushes = tuple(
            PushFault(action=PushAction.SWALLOW, client=name, packet="regular")
            for name in await stage.client_identities()
        )
        await stage.localnet.set_faults(FaultPlan(pushes=pushes))
        swallowing.set()
        await anyio.sleep(2)
        await stage.localnet.set_faults(FaultPlan())
        rest = await read_to_the_end(app, 60)
        assert rest.end is End.RESET or (rest.end is End.ORDERLY and len(rest.data) == 1000)


@wires(legacy=NO_RESENDING)
async def test_a_link_that_swallows_and_is_cut(tmp_path: Path, wire: str) -> None:
    length = 3_000_000

    async def download(upstream: SocketStream) -> None:
        await send_payload(upstream, length)

    async with scene(tmp_path, wire, download) as stage, await stage.connect() as app:
        first = await app.receive()
        for gateway, names in (await stage.localnet.clients()).items():
            for name in set(names) - {stage.server_identity()}:
                await stage.localnet.swallow(gateway, 0.3, name)
        rest = await read_to_the_end(app, 60)
        assert is_complete_or_told(Seen(first + rest.data, rest.end, rest.seconds), length)


@wires()
async def test_a_server_that_is_not_there_is_told(tmp_path: Path, wire: str) -> None:
    async with scene(tmp_path, wire, silence) as stage:
        stage.server.child.kill()
        await stage.server.child.process.wait()
        async with await stage.connect() as app:
            await app.send(b"hello")
            assert (await read_to_the_end(app, 70)).end is End.RESET


@wires()
async def test_a_server_that_does_not_accept_the_wire_says_so(tmp_path: Path, wire: str) -> None:
    other = "legacy" if wire == "stream" else "stream"
    async with (
        scene(tmp_path, wire, silence, server_flags=("--accept", other)) as stage,
        await stage.connect() as app,
    ):
        await app.send(b"hello")
        assert (await read_to_the_end(app, 70)).end is End.RESET
