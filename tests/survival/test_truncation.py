"""What the app sees is complete, or ends in an error: whoever broke it off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.localnet import FaultPlan, PushAction, PushFault
from tests.survival.scene import (
    End,
    Seen,
    is_complete_or_told,
    is_payload,
    read_to_the_end,
    reset,
    scene,
    send_payload,
    wires,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.survival.scene import Scene

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])
UNSEALED = pytest.mark.xfail(strict=True, reason="the old format has no MAC")
PARTIAL_BYTES = 20_000


@wires()
async def test_the_server_is_told_to_end_during_a_download(tmp_path: Path, wire: str) -> None:
    length = 4_000_000

    async def download(upstream: SocketStream) -> None:
        await send_payload(upstream, length)

    async with scene(tmp_path, wire, download) as stage, await stage.connect() as app:
        first = await app.receive()
        stage.server.child.terminate()
        rest = await read_to_the_end(app, 40)
        assert is_complete_or_told(Seen(first + rest.data, rest.end, rest.seconds), length)


@pytest.mark.exhaustive
@wires()
async def test_the_server_is_told_to_end_during_twenty_transfers(tmp_path: Path, wire: str) -> None:
    """Some are at their end when the grace period is over, the others are cut; all are told."""
    length, seen = 400_000, []

    async def download(upstream: SocketStream) -> None:
        await upstream.receive()  # What is left unread makes a reset of the end.
        await send_payload(upstream, length)

    async def one(stage: Scene, begun: anyio.Semaphore) -> None:
        async with await stage.connect() as app:
            await app.send(b"x")
            first = await app.receive()
            begun.release()
            rest = await read_to_the_end(app, 60)
            seen.append(Seen(first + rest.data, rest.end, rest.seconds))

    async with scene(tmp_path, wire, download) as stage, anyio.create_task_group() as tasks:
        begun = anyio.Semaphore(0)
        for _ in range(20):
            tasks.start_soon(one, stage, begun)
        for _ in range(20):
            await begun.acquire()
        stage.server.child.terminate()
    assert [is_complete_or_told(each, length) for each in seen] == [True] * 20
    assert max(each.seconds for each in seen) < 40


@pytest.mark.exhaustive
@wires()
async def test_a_second_signal_ends_at_once(tmp_path: Path, wire: str) -> None:
    async def silence(upstream: SocketStream) -> None:
        await read_to_the_end(upstream, 60)

    async with (
        scene(tmp_path, wire, silence, grace_seconds=60) as stage,
        await stage.connect() as app,
    ):
        await app.send(b"x")
        await anyio.sleep(1)
        stage.server.child.terminate()
        with anyio.move_on_after(2) as waited:
            await stage.server.child.process.wait()
        assert waited.cancelled_caught
        stage.server.child.terminate()
        with anyio.fail_after(10):
            assert await stage.server.child.process.wait() == 0


@pytest.mark.parametrize("wire", [pytest.param("legacy", marks=pytest.mark.exhaustive), "stream"])
async def test_the_upstream_breaks_off(tmp_path: Path, wire: str) -> None:
    async def half_an_answer(upstream: SocketStream) -> None:
        await send_payload(upstream, PARTIAL_BYTES)
        await anyio.sleep(0.2)  # So that the bytes do not die with the connection.
        await reset(upstream)

    async with scene(tmp_path, wire, half_an_answer) as stage, await stage.connect() as app:
        seen = await read_to_the_end(app, 20)
        assert is_payload(seen.data)
        assert seen.end is End.RESET


@pytest.mark.exhaustive
@wires()
async def test_the_app_breaks_an_upload_off(tmp_path: Path, wire: str) -> None:
    told = anyio.Event()
    uploaded: list[Seen] = []

    async def upload(upstream: SocketStream) -> None:
        uploaded.append(await read_to_the_end(upstream, 20))
        told.set()

    async with scene(tmp_path, wire, upload) as stage:
        async with await stage.connect() as app:
            await send_payload(app, PARTIAL_BYTES)
            await anyio.sleep(0.5)
            await reset(app)
        with anyio.fail_after(25):
            await told.wait()
    assert uploaded[0].end is End.RESET


@pytest.mark.exhaustive
@wires()
async def test_a_killed_client_ends_no_download_in_order(tmp_path: Path, wire: str) -> None:
    async def endless(upstream: SocketStream) -> None:
        while True:
            await upstream.send(bytes(65536))

    async with scene(tmp_path, wire, endless) as stage, await stage.connect() as app:
        await app.receive()
        stage.client.child.kill()
        assert (await read_to_the_end(app, 20)).end is End.RESET


@pytest.mark.exhaustive
@wires()
async def test_a_killed_server_ends_no_upload_in_order(tmp_path: Path, wire: str) -> None:
    uploaded: list[Seen] = []
    begun, ended = anyio.Event(), anyio.Event()

    async def upload(upstream: SocketStream) -> None:
        await upstream.receive()
        begun.set()
        uploaded.append(await read_to_the_end(upstream, 20))
        ended.set()

    async with scene(tmp_path, wire, upload) as stage, await stage.connect() as app:
        await send_payload(app, PARTIAL_BYTES)
        with anyio.fail_after(30):
            await begun.wait()
            stage.server.child.kill()
            await ended.wait()
    assert uploaded[0].end is End.RESET


@pytest.mark.exhaustive
@wires()
async def test_the_upstream_refuses(tmp_path: Path, wire: str) -> None:
    async def never(_upstream: SocketStream) -> None:
        raise AssertionError("nobody listens here")

    async with (
        scene(tmp_path, wire, never) as first,
        first.stage.server(first.localnet.env_file, "127.0.0.1:9", name="refused") as server,
        first.stage.client(
            *(first.localnet.env_file, server.address, "--wire", wire), name="second"
        ) as client,
    ):
        first.client = client
        async with await first.connect() as app:
            await app.send(b"hello")
            assert (await read_to_the_end(app, 20)).end is End.RESET


@pytest.mark.exhaustive
@wires(legacy=UNSEALED)
@pytest.mark.parametrize("to", ["client", "server"])
async def test_a_gateway_alters_what_it_pushes(tmp_path: Path, wire: str, to: str) -> None:
    """Flips one bit of each tenth packet, at an offset that holds application bytes."""
    length = 300_000

    async def echo(upstream: SocketStream) -> None:
        async for data in upstream:
            await upstream.send(data)

    async with scene(tmp_path, wire, echo) as stage, await stage.connect() as app:
        await app.send(b"x")
        assert await app.receive() == b"x"
        names = [stage.server_identity()] if to == "server" else await stage.client_identities()
        await stage.localnet.set_faults(
            FaultPlan(
                seed=1,
                pushes=tuple(
                    PushFault(
                        action=PushAction.ALTER,
                        client=name,
                        packet="regular",
                        probability=0.1,
                        offsets=(1200,),
                        mask=0x10,
                    )
                    for name in names
                ),
            )
        )

        async def upload() -> None:
            await send_payload(app, length)
            await app.send_eof()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(upload)
            seen = await read_to_the_end(app, 30)
            tasks.cancel_scope.cancel()
        assert is_payload(seen.data)
        assert is_complete_or_told(seen, length) or seen.end is End.NONE
