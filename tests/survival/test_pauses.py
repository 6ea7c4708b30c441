"""Processes and networks that stand still for minutes: what goes on then, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.localnet import LocalnetConfig
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

    from tests.survival.scene import Scene

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(420),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]
LENGTH = 3_000_000
ROTATES_EACH_20_S = LocalnetConfig(seed=1, epoch_seconds=10, epochs_per_rotation=2)


async def echo_or_download(upstream: SocketStream) -> None:
    """Send a payload to who asks with ``d``, and everything back to others."""
    async for data in upstream:
        if data == b"d":
            await send_payload(upstream, LENGTH)
            await upstream.send_eof()
        else:
            await upstream.send(data)


async def echoed(stage: Scene) -> None:
    async with await stage.connect() as app:
        await app.send(b"x")
        assert await app.receive() == b"x"


@wires()
async def test_a_server_that_sleeps_over_several_rotations_goes_on(
    tmp_path: Path, wire: str
) -> None:
    async with (
        scene(tmp_path, wire, echo_or_download, config=ROTATES_EACH_20_S) as stage,
        await stage.connect() as app,
    ):
        await app.send(b"d")
        first = await app.receive()
        stage.server.child.suspend()
        await anyio.sleep(100)
        stage.server.child.resume()
        with anyio.fail_after(15):
            await echoed(stage)
        rest = await read_to_the_end(app, 120)
        seen = Seen(first + rest.data, rest.end, rest.seconds)
        assert is_complete_or_told(seen, LENGTH)


@wires()
async def test_a_client_without_any_network_for_260_s(tmp_path: Path, wire: str) -> None:
    async with scene(tmp_path, wire, echo_or_download) as stage, await stage.connect() as app:
        await app.send(b"d")
        first = await app.receive()
        for gateway, names in (await stage.localnet.clients()).items():
            for name in set(names) - {stage.server_identity()}:
                await stage.localnet.stall(gateway, 260, name)
        rest = await read_to_the_end(app, 380)
        seen = Seen(first + rest.data, rest.end, rest.seconds)
        assert is_complete_or_told(seen, LENGTH)
        assert rest.end is not End.NONE
