"""The processes of a stage: what users run, from ready to ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nymproxy.localnet import DeadNodes, FaultPlan, PushAction, PushFault
from nymproxy.testing import workloads
from nymproxy.testing.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_whole_stage_carries_bytes_and_ends_though_one_stands_still(tmp_path: Path) -> None:
    started: list[str] = []

    def note(name: str, arguments: Sequence[str]) -> Sequence[str]:
        started.append(name)
        return arguments

    replays = PushFault(action=PushAction.REPLAY, count=3)
    plan = FaultPlan(seed=2, pushes=(replays,), dead_nodes=DeadNodes.LEAVE)
    stage = Stage(folder=tmp_path, flags=("--grace-period", "1"), wrap=note)
    async with (
        stage.localnet("--acks-after-writing", faults=plan) as network,
        stage.upstream() as upstream,
        stage.server(network.env_file, upstream.http) as server,
        stage.client(network.env_file, server.address, "--wire", "stream") as client,
    ):
        assert network.child.ready["fault_plan"] == plan.to_dict()
        result = await workloads.download(client.target(), 20_000)
        client.child.suspend()
        process = client.child.process
    assert result.ok, result.problem
    assert process.returncode == 0
    assert started == ["localnet", "upstream", "server", "client"]
