"""A network that loses what is sent is told of within 20 s, once, and so is its end."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.legacy.roster import ClientRoster
from nymproxy.mixnet.machine.status import NOTHING_DONE
from nymproxy.operating.losses import Losses, watch_losses
from nymproxy.operating.statistics import statistics_of
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.legacy.virtual_time import anyio_backend
from tests.operating.pretended import Made, supervised, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.testing import MemoryEndpoint

__all__ = ["anyio_backend"]

QUIET = MemoryFaults(delay_seconds=0.1)
OVERLOADED = replace(QUIET, loss=0.8)
LOST, ARRIVE = "packets-lost", "packets-arrive"


def events(caplog: pytest.LogCaptureFixture) -> list[object]:
    return [record.nymproxy_fields["event"] for record in caplog.records]  # type: ignore[attr-defined]


@asynccontextmanager
async def watched(endpoint: MemoryEndpoint) -> AsyncIterator[Losses]:
    losses, roster = Losses(), ClientRoster()
    roster.enter().connected(endpoint)  # type: ignore[arg-type]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch_losses, losses, roster, "client", "ssh")
        yield losses
        tasks.cancel_scope.cancel()


async def test_one_packet_that_never_arrives_is_told_within_20_s(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with MemoryNetwork(seed=1, faults=OVERLOADED) as network:
        sender, there = network.endpoint("sender"), network.endpoint("there")
        network.faults = replace(OVERLOADED, loss=1.0)
        async with watched(sender) as losses:
            for _ in range(2):  # a connection's first message, and a copy of it on another lane
                await sender.send(there.address, b"hello")
            began = anyio.current_time()
            await until(lambda: losses.is_told)
            assert anyio.current_time() - began <= 20
            await anyio.sleep(60)
    assert events(caplog) == [LOST]
    assert "client ssh: " in caplog.text
    assert "had to be sent again" in caplog.text


async def test_its_end_is_told_and_a_lasting_loss_only_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "nymproxy.operating")
    async with MemoryNetwork(seed=2, faults=OVERLOADED) as network:
        sender, there = network.endpoint("sender"), network.endpoint("there")

        async def talk() -> None:
            while True:
                await (await sender.send(there.address, b"x")).sent()
                await anyio.sleep(1)

        async with watched(sender) as losses, anyio.create_task_group() as tasks:
            tasks.start_soon(talk)
            await until(lambda: losses.is_told)
            await anyio.sleep(120)
            assert events(caplog) == [LOST]
            network.faults = QUIET
            await until(lambda: not losses.is_told)
            await anyio.sleep(120)
            tasks.cancel_scope.cancel()
    assert events(caplog) == [LOST, ARRIVE]


@pytest.mark.parametrize("loss", [0.0, 0.05])
async def test_what_networks_lose_anyway_is_not_told(
    loss: float, caplog: pytest.LogCaptureFixture
) -> None:
    faults = replace(QUIET, loss=loss)
    async with MemoryNetwork(seed=3, faults=faults) as network:
        sender, there = network.endpoint("sender"), network.endpoint("there")
        async with watched(sender):
            for _ in range(60):
                await sender.send(there.address, bytes(5000))
                await anyio.sleep(2)
    assert not caplog.records


def test_where_nothing_is_sent_any_more_nothing_is_told_and_new_trouble_is() -> None:
    losses = Losses()
    lost = replace(NOTHING_DONE, sent={"data": 10, "loop-cover": 900}, retransmissions=8)
    assert losses.look(lost)
    assert losses.share == 0.8
    told = [losses.look(lost) for _ in range(20)]
    assert not any(told)
    assert not losses.is_told
    assert losses.share == 0
    assert losses.look(replace(lost, sent={"data": 20}, retransmissions=14))


def test_of_few_packets_nothing_follows() -> None:
    losses = Losses()
    assert not losses.look(replace(NOTHING_DONE, sent={"data": 4}, retransmissions=2))
    assert losses.share == 0


async def test_the_forwards_of_a_process_are_watched() -> None:
    made = Made()
    async with MemoryNetwork(seed=1, faults=replace(QUIET, loss=1.0)) as network:
        sender, there = network.endpoint("sender"), network.endpoint("there")
        async with supervised(made.plan()) as supervisor:
            await until(lambda: made.proxies)
            made.proxies[0].roster.enter().connected(sender)  # type: ignore[arg-type]
            for _ in range(5):
                await sender.send(there.address, b"x")
            forward = supervisor.forwards["one"]
            await until(lambda: forward.losses.is_told)
            assert statistics_of(forward)["lost_share"]
