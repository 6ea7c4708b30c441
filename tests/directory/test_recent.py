"""Answers that are given again, on a virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import DirectoryUnavailable
from nymproxy.mixnet.directory import KeyRotationInfo, NetworkDetails
from nymproxy.mixnet.directory.client import DirectoryClient
from nymproxy.mixnet.directory.keeper import TopologyKeeper
from nymproxy.mixnet.directory.recent import RECENT_SECONDS, RecentAnswers
from tests.directory.network import Network
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from nymproxy.mixnet.directory import Node, Topology

HOUR = 3600.0
START = 1_000_000 * HOUR
INFO = KeyRotationInfo(10, 80, 100, int(START * 1e9), int(HOUR * 1e9))


class CountedDirectory(DirectoryClient):
    """Answers at once, and counts; or does not answer."""

    def __init__(self) -> None:
        super().__init__(NetworkDetails.from_directory_url("http://127.0.0.1:9/api"))
        self.asked: list[str] = []
        self.is_down = False

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.is_down:
            raise DirectoryUnavailable("down")

    async def fetch_topology(self) -> Topology:
        self._ask("topology")
        return Network().topology()

    async def fetch_key_rotation(self) -> KeyRotationInfo:
        self._ask("rotation")
        return INFO

    async def fetch_gateways(self) -> list[Node]:
        self._ask("gateways")
        return []


class Clocks:
    """That of the loop passes by itself; the wall clock goes with it, and jumps."""

    def __init__(self, into_epoch: float) -> None:
        self.offset = START + into_epoch - anyio.current_time()

    def unix(self) -> float:
        return anyio.current_time() + self.offset


async def start_client(recent: RecentAnswers, clocks: Clocks) -> TopologyKeeper:
    """Ask what a client asks when it starts."""
    keeper = TopologyKeeper(recent.directory, first=recent, unix_time=clocks.unix)
    await keeper.refresh()
    await recent.fetch_gateways()
    return keeper


async def test_clients_that_start_one_after_the_other_ask_once() -> None:
    directory, clocks = CountedDirectory(), Clocks(600)
    recent = RecentAnswers(directory, unix_time=clocks.unix)
    first = await start_client(recent, clocks)
    await anyio.sleep(RECENT_SECONDS - 1)
    second = await start_client(recent, clocks)
    assert sorted(directory.asked) == ["gateways", "rotation", "topology"]
    assert second.require() is first.require()
    assert second.key_rotation == INFO
    await second.refresh()  # what is asked for later is asked for
    assert directory.asked.count("topology") == 2
    await anyio.sleep(1)
    await start_client(recent, clocks)
    assert directory.asked.count("topology") == 3


@pytest.mark.parametrize("jump_seconds", [8 * HOUR, -8 * HOUR, RECENT_SECONDS])
async def test_not_after_a_sleep(jump_seconds: float) -> None:
    """The clock of the event loop may have stood still meanwhile."""
    directory, clocks = CountedDirectory(), Clocks(600)
    recent = RecentAnswers(directory, unix_time=clocks.unix)
    await start_client(recent, clocks)
    clocks.offset += jump_seconds
    await start_client(recent, clocks)
    assert directory.asked.count("topology") == 2


async def test_not_across_the_end_of_an_epoch() -> None:
    directory, clocks = CountedDirectory(), Clocks(HOUR - 10)
    recent = RecentAnswers(directory, unix_time=clocks.unix)
    await start_client(recent, clocks)
    await anyio.sleep(9)
    await start_client(recent, clocks)
    assert directory.asked.count("topology") == 1
    await anyio.sleep(2)
    await start_client(recent, clocks)
    assert directory.asked.count("topology") == 2


async def test_a_failure_is_not_kept_and_without_the_epochs_nothing_is() -> None:
    directory, clocks = CountedDirectory(), Clocks(600)
    recent = RecentAnswers(directory, unix_time=clocks.unix)
    directory.is_down = True
    with pytest.raises(DirectoryUnavailable):
        await recent.fetch_topology()
    directory.is_down = False
    await recent.fetch_topology()
    await recent.fetch_topology()
    assert directory.asked == ["topology"] * 3
    await recent.fetch_key_rotation()
    directory.is_down = True
    await recent.fetch_topology()
