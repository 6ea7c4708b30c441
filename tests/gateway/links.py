"""Links to the fake gateway, on its clocks, for the tests of links."""

from __future__ import annotations

from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy.mixnet.gateway import ClientIdentityKey, GatewayListener
from nymproxy.mixnet.gateway.link import GatewayLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.gateway.fake_gateway import FakeGateway

IDENTITY = ClientIdentityKey(Random(7).randbytes(32))


def make_link(gateway: FakeGateway, url: str, **options: Any) -> GatewayLink:
    listener = GatewayListener(gateway.node, url, options.pop("fallback_url", None))
    defaults: dict[str, Any] = {
        "clock": gateway.time.clock,
        "unix_time": gateway.time.unix_time,
        "sleep": gateway.time.sleep,
        "random_bytes": Random(3).randbytes,
    }
    return GatewayLink(listener, IDENTITY, **(defaults | options))


@asynccontextmanager
async def running(link: GatewayLink) -> AsyncIterator[GatewayLink]:
    """Connect and run; close at the end."""
    async with anyio.create_task_group() as tasks:
        try:
            await link.connect()
            tasks.start_soon(link.run)
            yield link
        finally:
            with anyio.CancelScope(shield=True):
                await link.aclose()


async def until(link: GatewayLink, condition: Callable[[], bool]) -> None:
    while not condition():
        await link.wait_changed()


async def say_nothing(*_arguments: object) -> None:
    """Take the place of a method of a peer that is to fall silent."""
    await anyio.sleep_forever()
