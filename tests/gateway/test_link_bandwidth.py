"""nymproxy.mixnet.gateway.link: claiming bandwidth, and running out of it."""

from __future__ import annotations

import pytest

from nymproxy.errors import GatewayRefused, OutOfBandwidth
from tests.gateway.fake_gateway import CREDENTIALS, FREE_BYTES, PACKET, FakeGateway, FakeTime
from tests.gateway.links import IDENTITY, make_link, running, until


async def test_payment_required(gateway: FakeGateway) -> None:
    gateway.gives_free_bandwidth = False
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        with pytest.raises(GatewayRefused, match="choose another gateway") as caught:
            await link.connect()
        assert CREDENTIALS in str(caught.value)
        await link.aclose()


async def test_nothing_granted(gateway: FakeGateway) -> None:
    gateway.free_bytes = 0
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        with pytest.raises(OutOfBandwidth):
            await link.connect()
        await link.aclose()


async def test_bandwidth_runs_low(gateway: FakeGateway) -> None:
    """Below 40 MB more is claimed while packets go on; nothing is refused."""
    gateway.free_bytes = 40_000_000 + 300
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        await link.send([PACKET])  # leaves less than 40 MB
        await until(link, lambda: link.available_bandwidth < 40_000_000)
        await link.send([PACKET])
        await until(link, lambda: link.available_bandwidth > 70_000_000)
        await gateway.until(2)
    claims = [text for text in gateway.sessions[0].texts if "claimFree" in text]
    assert len(claims) == 2


async def test_out_of_bandwidth(gateway: FakeGateway) -> None:
    """A refused packet is lost; the answer to it is not taken for the answer to the claim."""
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        client = gateway.clients[IDENTITY.public_key]
        client.available = 10
        await link.send([PACKET, PACKET])  # both refused, two times out_of_bandwidth
        await until(link, lambda: link.available_bandwidth <= 0)
        await until(link, lambda: link.available_bandwidth > 0)
        assert gateway.packets == []
        await link.send([PACKET])
        await gateway.until(1)
        assert link.status.error is None
    claims = [text for text in gateway.sessions[0].texts if "claimFree" in text]
    assert len(claims) == 2


async def test_midnight(gateway: FakeGateway, time: FakeTime) -> None:
    """The first packet after UTC midnight waits for a new allowance instead of being lost."""
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        await link.send([PACKET])
        await gateway.until(1)
        time.advance(86_400 - time.unix % 86_400 + 1)
        await link.send([PACKET])
        await gateway.until(2)
        await until(link, lambda: link.available_bandwidth > 2 * FREE_BYTES - 10_000)
    claims = [text for text in gateway.sessions[0].texts if "claimFree" in text]
    assert len(claims) == 2
