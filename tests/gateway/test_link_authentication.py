"""nymproxy.mixnet.gateway.link: the key and the second that one connection leaves to the next."""

from __future__ import annotations

import pytest

from nymproxy.errors import ClientNotRegistered, ClockSkew, DuplicateConnection, StorageError
from tests.gateway.fake_gateway import NOT_REGISTERED, PACKET, STALE, FakeGateway, FakeTime
from tests.gateway.links import IDENTITY, Pushed, make_link, running, until


async def test_second_start_authenticates(gateway: FakeGateway, time: FakeTime) -> None:
    seconds: list[int] = []

    async def keep(second: int) -> None:
        seconds.append(second)

    async with gateway.serve() as url:
        async with running(make_link(gateway, url)) as link:
            key, registered = link.shared_key, link.last_authentication
        assert registered == int(time.unix)
        gateway.clients[IDENTITY.public_key].stored = [b"while", b"away"]
        second = make_link(
            gateway,
            url,
            shared_key=key,
            last_authentication=registered,
            on_authenticating=keep,
        )
        pushed = Pushed()
        async with running(second, pushed) as link:
            assert link.shared_key == key
            assert [await pushed.receive(), await pushed.receive()] == [b"while", b"away"]
            await link.send([PACKET])
            await gateway.until(1)
    assert seconds == [registered + 1] == [second.last_authentication]
    # The allowance was still there: nothing was claimed.
    assert [text.split('"')[3] for text in gateway.sessions[1].texts] == [
        "supportedProtocol",
        "authenticateV2",
    ]


async def test_same_second_is_never_used_twice(gateway: FakeGateway, time: FakeTime) -> None:
    """However fast connections follow each other, the gateway never sees a second again."""
    async with gateway.serve() as url:
        async with running(make_link(gateway, url)) as link:
            key, last = link.shared_key, link.last_authentication
        for _ in range(3):
            async with running(
                make_link(gateway, url, shared_key=key, last_authentication=last)
            ) as link:
                assert link.last_authentication == last + 1
                last = link.last_authentication
    assert time.sleeps == [0.75, 1.0, 1.0]


async def test_reused_second_unknown_to_us(gateway: FakeGateway, time: FakeTime) -> None:
    """A Rust client may have used this very second: wait for the next one, once."""
    async with gateway.serve() as url:
        async with running(make_link(gateway, url)) as link:
            key = link.shared_key
        gateway.clients[IDENTITY.public_key].last_used = int(time.unix)
        async with running(make_link(gateway, url, shared_key=key)) as link:
            assert link.last_authentication == int(time.unix)
        gateway.refusals.extend([STALE, STALE])
        link = make_link(gateway, url, shared_key=key)
        with pytest.raises(DuplicateConnection, match="try again in a second"):
            await link.connect()
        await link.aclose()


async def test_clock_set_back(gateway: FakeGateway, time: FakeTime) -> None:
    link = make_link(
        gateway, "ws://127.0.0.1:1", shared_key=b"k" * 32, last_authentication=int(time.unix) + 60
    )
    with pytest.raises(ClockSkew, match="61 s in the future"):
        await link.connect()
    await link.aclose()


@pytest.mark.parametrize("lost", ["registration", "key"])
async def test_registers_again(gateway: FakeGateway, time: FakeTime, lost: str) -> None:
    keys: list[bytes] = []

    async def keep(key: bytes) -> None:
        keys.append(key)

    async with gateway.serve() as url:
        if lost == "key":
            async with running(make_link(gateway, url)):
                pass
        old = b"o" * 32
        async with running(make_link(gateway, url, shared_key=old, on_registered=keep)) as link:
            assert keys == [gateway.clients[IDENTITY.public_key].key.to_bytes()]
            assert link.shared_key == keys[0] != old
            gateway.clients.clear()
            await gateway.sessions[-1].reset()
            await gateway.until_sessions(len(gateway.sessions))
            await until(link, lambda: len(keys) == 2 and link.is_connected)
            await link.send([PACKET])
            await gateway.until(1)


async def test_registers_again_only_once(gateway: FakeGateway) -> None:
    gateway.refusals.extend([NOT_REGISTERED, NOT_REGISTERED])
    old = b"o" * 32
    async with gateway.serve() as url:
        link = make_link(gateway, url, shared_key=old)
        with pytest.raises(ClientNotRegistered, match="register again"):
            await link.connect()
        assert link.shared_key == old
        await link.aclose()
    assert len(gateway.sessions) == 2


async def test_a_key_that_cannot_be_stored(gateway: FakeGateway) -> None:
    async def fail(_key: bytes) -> None:
        raise StorageError("disk full")

    async with gateway.serve() as url:
        link = make_link(gateway, url, on_registered=fail)
        with pytest.raises(StorageError, match="disk full"):
            await link.connect()
        assert link.shared_key is None
        await link.aclose()
