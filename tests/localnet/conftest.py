"""The gateway that the tests of its websocket connect to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.localnet.lone_gateway import LoneGateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def gateway(tmp_path: Path, anyio_backend: str) -> AsyncIterator[LoneGateway]:
    gateway = LoneGateway(tmp_path / "gateway.sqlite")
    async with gateway.running():
        yield gateway
    gateway.node.close()
