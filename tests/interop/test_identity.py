"""An existing deployment: a directory of the Rust server, served by ours, and by Rust again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from interop.identity import TURNS, run_identity
from interop.programs import CLIENT_VARIABLE, PEERS_VARIABLE, SERVER_VARIABLE, locate
from interop.stage import Ends

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = (CLIENT_VARIABLE, SERVER_VARIABLE, PEERS_VARIABLE)


@pytest.mark.interop
@pytest.mark.skipif(
    not all(os.environ.get(name) for name in VARIABLES),
    reason=f"needs the Rust programs, named in {', '.join(VARIABLES)}; make interop runs it too",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_one_directory_is_one_address_whoever_serves_it(tmp_path: Path) -> None:
    programs = locate()
    assert programs.missing == []
    stage = Ends(programs, tmp_path)
    async with stage.network() as network:
        records = await run_identity(stage, network)
    assert len(records) == len(TURNS)
    assert [record.problem for record in records] == [None] * len(TURNS)
    assert all(record.is_same_address for record in records)
