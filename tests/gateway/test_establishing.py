"""nymproxy.mixnet.gateway.establishing, alone: the link above it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import ClientNotRegistered, ClockSkew, DuplicateConnection
from nymproxy.mixnet.gateway import GatewayListener
from nymproxy.mixnet.gateway.backlog import Backlog
from nymproxy.mixnet.gateway.establishing import MAX_SECOND_WAIT, Establisher
from nymproxy.mixnet.gateway.limits import PhaseLimits
from nymproxy.mixnet.gateway.refusals import RefusalKind
from tests.gateway.fake_gateway import NOT_REGISTERED, STALE, FakeGateway, FakeTime
from tests.gateway.links import IDENTITY

if TYPE_CHECKING:
    from nymproxy.mixnet.gateway import SharedKey


class Kept:
    """What an establisher stored, in order."""

    def __init__(self) -> None:
        self.written: list[tuple[str, bytes | int]] = []

    async def key(self, key: bytes) -> None:
        self.written.append(("key", key))

    async def second(self, second: int) -> None:
        self.written.append(("second", second))


def establisher(
    gateway: FakeGateway, url: str, kept: Kept, *, key: SharedKey | None = None, last: int = 0
) -> Establisher:
    options: dict[str, Any] = {
        "clock": gateway.time.clock,
        "unix_time": gateway.time.unix_time,
        "sleep": gateway.time.sleep,
        "random_bytes": gateway.random.randbytes,
    }
    return Establisher(
        listener=GatewayListener(gateway.node, url, None),
        identity=IDENTITY,
        key=key,
        last_second=last,
        store_key=kept.key,
        store_second=kept.second,
        limits=PhaseLimits(),
        options=DEFAULT_OPTIONS,
        backlog=Backlog(),
        **options,
    )


async def test_a_key_is_stored_before_it_is_used(gateway: FakeGateway, time: FakeTime) -> None:
    kept = Kept()
    async with gateway.serve() as url:
        made = establisher(gateway, url, kept)
        connection = await made.establish()
        await connection.aclose()
        assert made.key is not None
        assert kept.written == [("key", made.key.to_bytes()), ("second", int(time.unix))]
        assert time.sleeps == []  # a registration has no second that could be used up

        kept.written.clear()
        connection = await made.establish()
        await connection.aclose()
    assert kept.written == [("second", int(time.unix))]
    assert time.sleeps == [0.75]  # to the next second: this one the registration has used


async def test_a_second_in_the_future_is_waited_for_if_it_is_near(
    gateway: FakeGateway, time: FakeTime
) -> None:
    kept = Kept()
    async with gateway.serve() as url:
        made = establisher(gateway, url, kept)
        await (await made.establish()).aclose()
        made.last_second = int(time.unix) + 3
        await (await made.establish()).aclose()
        assert made.last_second == int(time.unix)
        assert sum(time.sleeps) == 3.75
        made.last_second = int(time.unix) + int(MAX_SECOND_WAIT) + 1
        with pytest.raises(ClockSkew, match="clock was set back"):
            await made.establish()
    assert len(gateway.sessions) == 2


async def test_an_unknown_client_registers_again_and_keeps_its_key_if_that_fails(
    gateway: FakeGateway, time: FakeTime
) -> None:
    kept = Kept()
    async with gateway.serve() as url:
        made = establisher(gateway, url, kept)
        await (await made.establish()).aclose()
        first = made.key
        gateway.clients.clear()
        await (await made.establish()).aclose()
        assert made.key not in (None, first)
        assert made.refusal is None

        second = made.key
        gateway.refusals.extend([NOT_REGISTERED, NOT_REGISTERED])
        with pytest.raises(ClientNotRegistered):
            await made.establish()
        assert made.key == second
        made.key = None
        gateway.refusals.append(NOT_REGISTERED)
        with pytest.raises(ClientNotRegistered):
            await made.establish()  # and has no key to fall back to
    assert made.key is None


async def test_at_first_a_second_that_somebody_used_is_waited_out_once(
    gateway: FakeGateway, time: FakeTime
) -> None:
    kept = Kept()
    async with gateway.serve() as url:
        made = establisher(gateway, url, kept)
        await (await made.establish()).aclose()
        time.advance(1.0)
        gateway.clients[IDENTITY.public_key].last_used = int(time.unix)
        await (await made.establish_first()).aclose()
        assert 1.0 in time.sleeps
        gateway.refusals.append(STALE)
        with pytest.raises(DuplicateConnection):
            await made.establish()
        assert made.refusal is RefusalKind.REUSED_SECOND
