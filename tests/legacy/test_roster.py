"""What a proxy's clients make of its status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio

from nymproxy.address import NymAddress
from nymproxy.errors import DirectoryUnavailable
from nymproxy.legacy.roster import ClientRoster
from nymproxy.mixnet.machine import ClientStatus
from nymproxy.mixnet.machine.status import NOTHING_DONE, NOTHING_HELD, READY, ClientGauges
from tests.vectors.files import load

SERVER = NymAddress.parse(load("pipeline.json")["recipients"][0]["text"])
ON_THE_WAY = ClientStatus(0.4, False, False, "choosing a gateway")
RECONNECTING = ClientStatus(0.7, False, False, "reconnecting to the gateway", "gateway-unreachable")
CLOSED = ClientStatus(0.0, False, True, "the client was closed")


class Client:
    """Counts, and knows whether a gateway is in its topology."""

    gauges = ClientGauges(1, 2, 3, None)
    counters = NOTHING_DONE + NOTHING_DONE

    def __init__(self, *, is_there: bool = True) -> None:
        self.is_there = is_there

    def reaches(self, _to: NymAddress) -> bool:
        return self.is_there


def test_it_is_as_far_as_its_best_client() -> None:
    roster = ClientRoster()
    assert roster.status_for().reason == "not started"
    first, second = roster.enter(), roster.enter()
    first.show(ON_THE_WAY)
    assert roster.status_for() == ON_THE_WAY
    second.show(READY)
    assert roster.status_for() == READY
    assert (roster.client_count, roster.ready_count) == (2, 1)
    second.show(CLOSED)
    assert roster.status_for() == ON_THE_WAY


def test_a_proxy_without_a_reserve_is_ready_without_a_client() -> None:
    assert ClientRoster().status_for(is_serving=True) == READY


def test_what_could_not_be_connected_says_why_until_another_one_is() -> None:
    roster = ClientRoster()
    roster.enter().failed(DirectoryUnavailable("no answer"))
    assert roster.status_for() == ClientStatus(
        0.0, False, False, "no answer", "directory-unavailable"
    )
    roster.enter().show(READY)
    assert roster.status_for() == READY


def test_one_that_nobody_wants_any_more_is_no_failure() -> None:
    roster = ClientRoster()
    roster.enter().failed(None)
    assert roster.status_for().blocked_by is None
    assert roster.client_count == 0


def test_lost_gateways_are_counted() -> None:
    roster = ClientRoster()
    entry = roster.enter()
    for status in (READY, RECONNECTING, RECONNECTING, READY, RECONNECTING):
        entry.show(status)
    assert roster.gateways_lost == 2


def test_a_server_whose_gateway_is_not_in_the_network_is_named_as_what_blocks() -> None:
    roster = ClientRoster()
    client: Any = Client(is_there=False)
    entry = roster.enter()
    entry.connected(client)
    entry.show(READY)
    assert roster.status_for([SERVER]).blocked_by == "unknown-gateway"
    client.is_there = True
    entry.show(READY)
    assert roster.status_for([SERVER]) == READY


def test_counters_of_those_that_ended_stay() -> None:
    roster = ClientRoster()
    client: Any = Client()
    client.counters = replace(
        NOTHING_DONE, sent={"data": 2}, retransmissions=1, bytes_received=9, given_up={"x": 1}
    )
    for _ in range(2):
        entry = roster.enter()
        entry.connected(client)
        entry.show(CLOSED)
    entry = roster.enter()
    entry.connected(client)
    assert roster.counters.sent == {"data": 6}
    assert roster.counters.retransmissions == 3
    assert roster.counters.bytes_received == 27
    assert roster.gauges == ClientGauges(1, 2, 3, None)
    entry.failed(None)
    entry.show(CLOSED)
    assert roster.gauges == NOTHING_HELD
    assert roster.counters.given_up == {"x": 3}


async def test_changes_can_be_followed() -> None:
    roster = ClientRoster()
    seen = []

    async def follow() -> None:
        async for status in roster.changes(roster.status_for):
            seen.append(status.fraction)
            if status.is_ready:
                return

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            entry = roster.enter()
            for status in (ON_THE_WAY, READY):
                entry.show(status)
                await anyio.wait_all_tasks_blocked()
    assert seen == [0.0, 0.4, 1.0]
