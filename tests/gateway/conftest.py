"""The gateway that the tests of links connect to."""

from __future__ import annotations

import pytest

from nymproxy.mixnet.gateway import connection as connection_module
from nymproxy.mixnet.gateway import websocket as websocket_module
from tests.gateway.fake_gateway import FakeGateway, FakeTime


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def gateway(time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    # Several tests end with a gateway that answers nothing any more.
    for module in (connection_module, websocket_module):
        monkeypatch.setattr(module, "CLOSE_SECONDS", 0.1)
    return FakeGateway(time)
