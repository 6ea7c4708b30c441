"""Identities of isolation values: how many are kept, which goes, and what is told of failures."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import ClientDisconnected, GatewayUnreachable, UsageError
from nymproxy.stream.isolation import MAX_ISOLATED, IsolatedClients

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable
    from contextlib import AbstractAsyncContextManager


@dataclass(eq=False)
class Client:
    is_idle: bool = True
    has_ended: bool = False
    left: anyio.Event = field(default_factory=anyio.Event)


@dataclass
class Connector:
    clients: list[Client] = field(default_factory=list)
    failures: int = 0
    gate: anyio.Event | None = None
    ends_with: Exception | None = None

    async def __call__(self) -> AbstractAsyncContextManager[Client]:
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise GatewayUnreachable("no gateway")
        return self._entered()

    @asynccontextmanager
    async def _entered(self) -> AsyncIterator[Client]:
        client, error = Client(), self.ends_with
        self.clients.append(client)
        try:
            yield client
        finally:
            client.left.set()
        if error is not None:
            raise error


@asynccontextmanager
async def isolated(connector: Connector) -> AsyncIterator[IsolatedClients[Client]]:
    clients = IsolatedClients[Client](
        connector, is_idle=lambda each: each.is_idle, has_ended=lambda each: each.has_ended
    )
    async with anyio.create_task_group() as tasks:
        await tasks.start(clients.run)
        yield clients
        tasks.cancel_scope.cancel()


async def used(clients: IsolatedClients[Client], value: Hashable) -> Client:
    with anyio.fail_after(20):
        async with clients.use(value) as client:
            return client


async def test_an_identity_that_ends_in_a_group_of_errors_ends_no_other() -> None:
    connector = Connector()
    async with isolated(connector) as clients:
        connector.ends_with = ExceptionGroup("of its tasks", [ClientDisconnected("the gateway")])
        ending = await used(clients, 1)
        connector.ends_with = None
        other = await used(clients, 2)
        ending.has_ended = True
        assert await used(clients, 1) not in (ending, other)
        with anyio.fail_after(20):
            await ending.left.wait()
        assert await used(clients, 2) is other


async def test_the_idle_one_that_was_used_least_recently_goes_for_one_more() -> None:
    connector = Connector()
    async with isolated(connector) as clients:
        first = [await used(clients, value) for value in range(MAX_ISOLATED)]
        first[1].is_idle = False
        assert await used(clients, 0) is first[0]
        await used(clients, "one more")  # 1 is busy, and 0 was used since
        with anyio.fail_after(20):
            await first[2].left.wait()
        assert not any(each.left.is_set() for each in (first[0], first[1], first[3]))
        assert await used(clients, 2) not in first
        for each in connector.clients:
            each.is_idle = False
        with pytest.raises(UsageError, match="16 values of isolation"):
            await used(clients, "too many")
        assert await used(clients, 1) is first[1]


async def test_who_waits_for_a_client_keeps_it() -> None:
    connector = Connector(gate=anyio.Event())
    async with isolated(connector) as clients, anyio.create_task_group() as waiting:
        for value in range(MAX_ISOLATED):
            waiting.start_soon(used, clients, value)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(UsageError):
            await used(clients, "one more")
        assert connector.gate is not None
        connector.gate.set()


async def test_a_failure_is_told_and_the_next_use_tries_again() -> None:
    connector = Connector(failures=1)
    async with isolated(connector) as clients:
        with pytest.raises(GatewayUnreachable):
            await used(clients, "x")
        first = await used(clients, "x")
        first.has_ended = True
        assert await used(clients, "x") is not first
        with anyio.fail_after(20):
            await first.left.wait()


async def test_nobody_waits_for_what_is_left() -> None:
    connector = Connector()
    with pytest.raises(ClientDisconnected):
        async with IsolatedClients[Client](
            connector, is_idle=lambda _: True, has_ended=lambda _: False
        ).use("x"):
            pass
    async with isolated(connector) as clients:
        kept = await used(clients, "kept")
        connector.gate = anyio.Event()
        async with anyio.create_task_group() as waiting:

            async def wait() -> None:
                with pytest.raises(ClientDisconnected):
                    await used(clients, "connecting")

            waiting.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await clients.leave()
        assert kept.left.is_set()
        with pytest.raises(ClientDisconnected):
            await used(clients, "later")
