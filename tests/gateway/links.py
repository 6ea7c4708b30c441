"""Links to the fake gateway, on its clocks, for the tests of links."""

from __future__ import annotations

import math
from collections import deque
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy._signal import Signal
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


class Pushed:
    """Takes what a link hands on: so many at a time, and the next when those were received."""

    def __init__(self, at_once: float = math.inf) -> None:
        self.is_full = False
        self._at_once = at_once
        self._taken: deque[bytes] = deque()
        self._changed = Signal()

    async def take(self, pushed: deque[bytes]) -> None:
        while pushed:
            self.is_full = len(self._taken) >= self._at_once
            if self.is_full:
                await self._changed.wait()
            else:
                self._taken.append(pushed.popleft())
                self._changed.set()

    async def receive(self) -> bytes:
        while not self._taken:
            await self._changed.wait()
        self._changed.set()
        return self._taken.popleft()


@asynccontextmanager
async def running(link: GatewayLink, pushed: Pushed | None = None) -> AsyncIterator[GatewayLink]:
    """Connect and run; close at the end."""
    async with anyio.create_task_group() as tasks:
        try:
            await link.connect()
            tasks.start_soon(link.run, (pushed or Pushed()).take)
            yield link
        finally:
            with anyio.CancelScope(shield=True):
                await link.aclose()


async def until(link: GatewayLink, condition: Callable[[], bool]) -> None:
    while not condition():
        await link._changed.wait()


async def say_nothing(*_arguments: object) -> None:
    """Take the place of a method of a peer that is to fall silent."""
    await anyio.sleep_forever()
