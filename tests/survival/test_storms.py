"""Many apps at once, apps that go at once, and nodes that go for good: others notice nothing."""

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
    reset,
    scene,
    send_payload,
    wires,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.survival.scene import Scene

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(240),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]
LENGTH = 3_000_000
NO_RESENDING = pytest.mark.xfail(
    strict=True, reason="the old format acknowledges nothing: losses behind the ack are not noticed"
)
NO_MOVING = pytest.mark.xfail(strict=True, reason="the old format has no way to move a session")


async def download(upstream: SocketStream) -> None:
    await send_payload(upstream, LENGTH)


async def downloaded(stage: Scene, seconds: float = 90) -> Seen:
    async with await stage.connect() as app:
        return await read_to_the_end(app, seconds)


async def client_of(stage: Scene) -> tuple[str, str]:
    """The gateway and the identity of the proxy client."""
    for gateway, names in (await stage.localnet.clients()).items():
        for name in set(names) - {stage.server_identity()}:
            return gateway, name
    raise AssertionError("the client is not connected")


@wires(legacy=NO_RESENDING)
async def test_one_reset_of_the_clients_connection_breaks_nothing(
    tmp_path: Path, wire: str
) -> None:
    seen: list[Seen] = []
    async with scene(tmp_path, wire, download) as stage:

        async def one() -> None:
            seen.append(await downloaded(stage))

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)
            await anyio.sleep(1.5)
            await stage.localnet.disconnect(*await client_of(stage))
    assert [is_complete_or_told(one, LENGTH) for one in seen] == [True] * 4


@wires()
async def test_apps_that_reset_at_once_leave_nothing_behind(tmp_path: Path, wire: str) -> None:
    open_now = 0

    async def count(upstream: SocketStream) -> None:
        nonlocal open_now
        open_now += 1
        try:
            async for data in upstream:
                await upstream.send(data)
        finally:
            open_now -= 1

    async with scene(tmp_path, wire, count) as stage:
        for _ in range(100):
            await reset(await stage.connect())
        with anyio.fail_after(30):
            async with await stage.connect() as app:
                await app.send(b"still there?")
                assert await app.receive() == b"still there?"
                await anyio.sleep(20)
                assert open_now == 1


@wires()
async def test_downloads_that_apps_cancel_take_nothing_from_others(
    tmp_path: Path, wire: str
) -> None:
    """Four apps of one identity go away in the middle: their upstreams are told soon."""
    sending, ended = 0, anyio.Event()

    async def endless(upstream: SocketStream) -> None:
        nonlocal sending
        sending += 1
        try:
            while True:
                await upstream.send(bytes(65536))
        finally:
            sending -= 1
            if not sending:
                ended.set()

    async with scene(tmp_path, wire, endless) as stage:
        apps = [await stage.connect() for _ in range(4)]
        for app in apps:
            await app.send(b"x")
            await app.receive()
        for app in apps:
            await reset(app)
        with anyio.fail_after(20):
            await ended.wait()


@wires()
async def test_a_server_that_stands_still_for_a_minute_loses_nothing(
    tmp_path: Path, wire: str
) -> None:
    async with scene(tmp_path, wire, download) as stage, await stage.connect() as app:
        first = await app.receive()
        stage.server.child.suspend()
        await anyio.sleep(60)
        stage.server.child.resume()
        rest = await read_to_the_end(app, 90)
        assert rest.end is End.ORDERLY
        seen = Seen(first + rest.data, rest.end, rest.seconds)
        assert is_complete_or_told(seen, LENGTH)


@wires()
async def test_gateways_that_replay(tmp_path: Path, wire: str) -> None:
    fault = PushFault(
        action=PushAction.REPLAY,
        packet="regular",
        probability=0.02,
        delay_seconds=0.1,
        jitter_seconds=3,
    )
    async with scene(tmp_path, wire, download) as stage:
        await stage.localnet.set_faults(FaultPlan(seed=3, pushes=(fault,)))
        assert is_complete_or_told(await downloaded(stage), LENGTH)


@pytest.mark.timeout(480)
@wires(legacy=NO_RESENDING)
async def test_gateways_that_swallow(tmp_path: Path, wire: str) -> None:
    """Of a message of 23 packets in two of five, and of the reply SURBs that they need as many."""
    fault = PushFault(action=PushAction.SWALLOW, packet="regular", probability=0.02)
    async with scene(tmp_path, wire, download) as stage:
        await stage.localnet.set_faults(FaultPlan(seed=3, pushes=(fault,)))
        assert is_complete_or_told(await downloaded(stage, 90 if wire == "legacy" else 420), LENGTH)


@wires(legacy=NO_MOVING)
async def test_the_clients_gateway_goes_for_good(tmp_path: Path, wire: str) -> None:
    async with scene(tmp_path, wire, download) as stage, await stage.connect() as app:
        gateway, _ = await client_of(stage)
        first = b""
        while len(first) < LENGTH // 10:  # by then the stream has shown its keys
            first += await app.receive()
        await stage.localnet.remove_node(gateway)
        rest = await read_to_the_end(app, 90)
        assert is_complete_or_told(Seen(first + rest.data, rest.end, rest.seconds), LENGTH)
        assert rest.end is End.ORDERLY
