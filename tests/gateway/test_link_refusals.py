"""nymproxy.mixnet.gateway.link: gateways that refuse a client, or that a client refuses."""

from __future__ import annotations

import pytest

from nymproxy.errors import (
    ClientDisconnected,
    ClockSkew,
    DuplicateConnection,
    GatewayProtocolError,
    GatewayRefused,
)
from nymproxy.mixnet.gateway import LinkState
from nymproxy.mixnet.gateway import link as link_module
from tests.gateway.fake_gateway import DUPLICATE, PACKET, SKEWED, FakeGateway, FakeTime
from tests.gateway.links import Pushed, make_link


@pytest.mark.parametrize(
    ("text", "error", "advice"),
    [
        (DUPLICATE, DuplicateConnection, "stop the other process"),
        (SKEWED, ClockSkew, "set the clock"),
        ("something new", GatewayRefused, "something new"),
        ("bad\x1b[31m\nlines", GatewayRefused, r"bad \[31m lines"),
    ],
)
async def test_refusals(
    gateway: FakeGateway, text: str, error: type[Exception], advice: str
) -> None:
    gateway.refusals.append(text)
    async with gateway.serve() as url:
        link = make_link(gateway, url, shared_key=b"k" * 32)
        with pytest.raises(error, match=advice):
            await link.connect()
        assert link.status.state is LinkState.IDLE
        assert isinstance(link.status.error, error)
        await link.aclose()


async def test_register_status_false(gateway: FakeGateway) -> None:
    gateway.register_status = False
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        with pytest.raises(GatewayRefused, match="refused to register"):
            await link.connect()
        assert link.shared_key is None
        await link.aclose()


async def test_wrong_gateway_identity(gateway: FakeGateway, time: FakeTime) -> None:
    other = FakeGateway(time, seed=2)
    async with gateway.serve() as url:
        link = make_link(other, url)
        with pytest.raises(GatewayProtocolError, match="does not hold the identity"):
            await link.connect()
        await link.aclose()
    # The gateway was told why, and knows no new client.
    assert gateway.clients == {}
    assert "received invalid signature" in gateway.sessions[0].texts[-1]


async def test_too_old_a_gateway(gateway: FakeGateway) -> None:
    gateway.version = 3
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        with pytest.raises(GatewayRefused, match="choose another gateway"):
            await link.connect()
        await link.aclose()


async def test_gives_up_after_ten_refusals(gateway: FakeGateway, time: FakeTime) -> None:
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        await link.connect()
        gateway.refusals.extend([DUPLICATE] * link_module.MAX_REFUSALS)
        await gateway.sessions[0].reset()
        with pytest.raises(DuplicateConnection):
            await link.run(Pushed().take)
        assert link.status.state is LinkState.LOST
        assert isinstance(link.status.error, DuplicateConnection)
        with pytest.raises(ClientDisconnected) as caught:
            await link.send([PACKET])
        assert isinstance(caught.value.__cause__, DuplicateConnection)
        await link.aclose()
    assert len(gateway.sessions) == 1 + link_module.MAX_REFUSALS
    waits = [seconds for seconds in time.sleeps if seconds > 1]
    assert max(waits) > 10
    assert max(waits) <= 30
