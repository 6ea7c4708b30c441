"""Real TCP connections through both proxies and the embedded mixnet, while things go wrong.

Every transfer is checked byte for byte at both ends by :mod:`nymproxy.testing.workloads`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.localnet import FaultPlan, LinkFaults, Localnet, LocalnetConfig
from nymproxy.testing import workloads
from nymproxy.testing.stage import Stage
from nymproxy.testing.upstream import serve_upstream
from nymproxy.testing.workloads import Target
from tests.integration.proxies import pair, proxy_client, proxy_server
from tests.legacy.proxies import until

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy.legacy import Wire
    from tests.integration.proxies import Pair

WIRES: list[Wire] = ["legacy", "stream"]
MEGABYTE = 1_000_000
TRANSFER_BYTES = 200_000

pytestmark = pytest.mark.slow


@pytest.fixture
def anyio_backend() -> str:
    # The layers below run on both backends in their own tests.
    return "asyncio"


@pytest.mark.parametrize("wire", WIRES)
async def test_transfers_each_way(wire: Wire) -> None:
    faults = LinkFaults(
        source="mix-2-*",
        target="mix-3-*",
        loss=0.05,
        duplicate=0.2,
        reorder=0.2,
        reorder_seconds=0.2,
    )
    async with Localnet(LocalnetConfig(seed=1)) as localnet:
        async with pair(str(localnet.env_file), wire) as proxies:
            await localnet.set_faults(FaultPlan(seed=11, links=(faults,)))
            download = await workloads.download(proxies.target, TRANSFER_BYTES)
            upload = await workloads.upload(proxies.target, TRANSFER_BYTES)
            await localnet.set_faults(FaultPlan())
        injected = (await localnet.counters())["total"]["injected"]
    assert download.ok, download.problem
    assert upload.ok, upload.problem
    assert min(injected.values()) > 10, "the faults did not happen"


async def _half_way(proxies: Pair) -> None:
    """Wait until a part of a transfer has gone through, and one as large has not."""

    def carried() -> int:
        sessions = proxies.server.session_map().values()
        return sum(each.bytes_to_peer + each.bytes_from_peer for each in sessions)

    await until(lambda: carried() > TRANSFER_BYTES // 3, seconds=20)


@pytest.mark.parametrize(
    ("wire", "victim", "direction"),
    [
        pytest.param("legacy", "client's gateway", "download", marks=pytest.mark.exhaustive),
        ("legacy", "server's gateway", "upload"),
        ("stream", "client's gateway", "upload"),
        pytest.param("stream", "server's gateway", "download", marks=pytest.mark.exhaustive),
    ],
)
async def test_a_gateway_goes_and_comes_back(wire: Wire, victim: str, direction: str) -> None:
    async with Localnet(LocalnetConfig(seed=2)) as localnet:
        gateways = [info.identity for info in localnet.gateways]
        index = 0 if victim == "client's gateway" else 1
        results = []
        async with pair(
            str(localnet.env_file), wire, client_gateway=gateways[0], server_gateway=gateways[1]
        ) as proxies:

            async def transfer() -> None:
                work = workloads.download if direction == "download" else workloads.upload
                results.append(await work(proxies.target, MEGABYTE))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(transfer)
                await _half_way(proxies)
                assert not results
                await localnet.kill_gateway(index)
                await localnet.start_gateway(index)
    assert results[0].ok, results[0].problem


@pytest.mark.parametrize("wire", WIRES)
async def test_keys_rotate_during_a_transfer(wire: Wire) -> None:
    async with Localnet(LocalnetConfig(seed=3)) as localnet:
        results = []
        async with pair(str(localnet.env_file), wire) as proxies:

            async def transfer() -> None:
                results.append(await workloads.download(proxies.target, MEGABYTE))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(transfer)
                await _half_way(proxies)
                assert not results
                await localnet.rotate_now()
            again = await workloads.download(proxies.target, 50_000)
    assert results[0].ok, results[0].problem
    assert again.ok, again.problem


async def test_one_server_serves_both_kinds_of_clients_at_once() -> None:
    async with (
        Localnet(LocalnetConfig(seed=4)) as localnet,
        serve_upstream() as upstream,
        proxy_server(str(localnet.env_file), upstream.http) as server,
        proxy_client(str(localnet.env_file), server, "legacy") as legacy,
        proxy_client(str(localnet.env_file), server, "stream") as stream,
    ):
        protocols: set[str] = set()
        results = {}

        async def transfer(name: str, target: Target) -> None:
            results[name] = await workloads.download(target, 300_000)

        async def greeted(target: Target) -> None:
            # Held open while both transfers run, so that sessions of both kinds are there at once.
            async with await anyio.connect_tcp(target.host, target.port) as held:
                await held.send(b"GET ")
                protocols.update(each.protocol for each in server.session_map().values())
                await both_transferred.wait()
                protocols.update(each.protocol for each in server.session_map().values())

        both_transferred = anyio.Event()
        targets = {
            "legacy": Target(*legacy.local_address),
            "stream": Target(*stream.local_address),
        }
        async with anyio.create_task_group() as holding:
            for target in targets.values():
                holding.start_soon(greeted, target)
            async with anyio.create_task_group() as tasks:
                for name, target in targets.items():
                    tasks.start_soon(transfer, name, target)
            both_transferred.set()
    assert results["legacy"].ok, results["legacy"].problem
    assert results["stream"].ok, results["stream"].problem
    assert protocols == {"legacy", "stream"}


@pytest.mark.parametrize("wire", WIRES)
async def test_a_killed_network_loses_nothing_silently(wire: Wire, tmp_path: Path) -> None:
    """SIGKILL of all gateways and mixes: all bytes after their restart, or a visible error."""
    stage, flags = Stage(folder=tmp_path), ("--state-dir", str(tmp_path / "net"))
    results = []
    async with (
        stage.localnet(*flags, name="first") as first,
        pair(first.env_file, wire) as proxies,
    ):
        done = anyio.Event()

        async def transfer() -> None:
            results.append(await workloads.download(proxies.target, MEGABYTE))
            done.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transfer)
            await _half_way(proxies)
            assert not results
            first.child.kill()
            await first.child.process.wait()
            async with stage.localnet(*flags, name="second"):
                await done.wait()  # at the latest when the workload's own time is up
                await proxies.client.disconnect()  # here, where there is a network to say so by
                await proxies.server.disconnect()
    result = results[0]
    # Wrong bytes would be "another SHA-256", missing ones an end of data in the wrong place.
    failed_visibly = result.problem is not None and result.problem.startswith(
        ("the connection failed", "not done")
    )
    assert result.ok or failed_visibly, result
