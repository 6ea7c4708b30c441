"""nymproxy.mixnet.gateway.link: the stories a client lives through, over real loopback sockets."""

from __future__ import annotations

import logging
import ssl
from collections import deque
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
import trustme

from nymproxy.errors import (
    ClientDisconnected,
    ClientNotRegistered,
    ClockSkew,
    ConfigurationError,
    DuplicateConnection,
    GatewayProtocolError,
    GatewayRefused,
    GatewayUnreachable,
    OutOfBandwidth,
    PhaseTimeout,
    StorageError,
    UsageError,
)
from nymproxy.mixnet.gateway import (
    ClientIdentityKey,
    GatewayLink,
    GatewayListener,
    LinkState,
    PhaseLimits,
    RequestKind,
)
from nymproxy.mixnet.gateway import connection as connection_module
from nymproxy.mixnet.gateway import link as link_module
from nymproxy.mixnet.gateway import websocket as websocket_module
from nymproxy.mixnet.gateway.responses import ErrorResponse
from nymproxy.mixnet.sphinx import KeyRotation
from tests.gateway.fake_gateway import (
    CREDENTIALS,
    DUPLICATE,
    FREE_BYTES,
    NOT_REGISTERED,
    PACKET,
    SKEWED,
    STALE,
    FakeGateway,
    FakeTime,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

IDENTITY = ClientIdentityKey(Random(7).randbytes(32))


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tests end with a gateway that answers nothing any more."""
    for module in (connection_module, websocket_module):
        monkeypatch.setattr(module, "CLOSE_SECONDS", 0.1)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def gateway(time: FakeTime) -> FakeGateway:
    return FakeGateway(time)


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
    await anyio.sleep_forever()


async def unused_port() -> int:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port: int = listener.extra(anyio.abc.SocketAttribute.local_port)
    return port


async def test_registration_and_packets(gateway: FakeGateway) -> None:
    keys: list[bytes] = []

    async def keep(key: bytes) -> None:
        keys.append(key)

    async with gateway.serve() as url, running(make_link(gateway, url, on_registered=keep)) as link:
        assert (link.is_connected, link.status.state) == (True, LinkState.CONNECTED)
        assert keys == [gateway.clients[IDENTITY.public_key].key.to_bytes()] == [link.shared_key]
        assert link.available_bandwidth == FREE_BYTES
        await link.send([PACKET] * 3)
        await gateway.until(3)
        assert gateway.packets == [(RequestKind.FORWARD_SPHINX_V2, PACKET)] * 3
        await until(link, lambda: link.available_bandwidth == FREE_BYTES - 3 * len(PACKET.packet))
        with link.pushed as pushed:
            await gateway.sessions[0].push(b"to us")
            assert await pushed.receive() == b"to us"
    (session,) = gateway.sessions
    types = [text.split('"')[3] for text in session.texts]
    assert types == [
        "supportedProtocol",
        "handshakePayload",
        "handshakePayload",
        "claimFreeTestnetBandwidth",
    ]
    assert (link.is_connected, link.status.state) == (False, LinkState.CLOSED)


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
        async with running(second) as link:
            assert link.shared_key == key
            with link.pushed as pushed:
                assert [await pushed.receive(), await pushed.receive()] == [b"while", b"away"]
            await link.send([PACKET])
            await gateway.until(1)
    assert seconds == [registered + 1] == [second.last_authentication]
    # The allowance was still there: nothing was claimed.
    assert [text.split('"')[3] for text in gateway.sessions[1].texts] == [
        "supportedProtocol",
        "authenticateV2",
    ]


async def test_messages_between_handshake_and_register(gateway: FakeGateway) -> None:
    """The real gateway pushes stored messages under the new key before it says "register"."""
    async with gateway.serve() as url:
        async with running(make_link(gateway, url)):
            pass
        gateway.clients[IDENTITY.public_key].stored = [b"kept"]
        async with running(make_link(gateway, url)) as link:  # without the key: registers anew
            with link.pushed as pushed:
                assert await pushed.receive() == b"kept"


async def test_more_stored_messages_than_the_queue_holds(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "PUSHED_QUEUE_MESSAGES", 3)
    async with gateway.serve() as url:
        async with running(make_link(gateway, url)):
            pass
        stored = [bytes([number]) for number in range(20)]
        gateway.clients[IDENTITY.public_key].stored = list(stored)
        async with running(make_link(gateway, url)) as link:
            await gateway.sessions[1].push(b"later")
            with link.pushed as pushed:
                assert [await pushed.receive() for _ in range(21)] == [*stored, b"later"]


async def test_full_queue_stops_reading_and_loses_nothing(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "PUSHED_QUEUE_MESSAGES", 2)
    messages = [bytes([number]) * 30000 for number in range(200)]

    async def push_all() -> None:
        for message in messages:
            await gateway.sessions[0].push(message)

    async with (
        gateway.serve() as url,
        running(make_link(gateway, url)) as link,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(push_all)
        with link.pushed as pushed:
            for message in messages:
                assert await pushed.receive() == message


async def test_connection_lost_while_the_queue_is_full(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the gateway handed over is handed on, though its connection is gone meanwhile."""
    monkeypatch.setattr(link_module, "PUSHED_QUEUE_MESSAGES", 2)
    messages = [bytes([number]) for number in range(20)]
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        await gateway.sessions[0].push(*messages)
        while link._backlog == deque() or link.pushed.statistics().tasks_waiting_send == 0:
            await anyio.lowlevel.checkpoint()
        await gateway.sessions[0].reset()
        while len(gateway.sessions) == 1:  # a write is the first to notice
            with anyio.move_on_after(0.1):
                await link.send([PACKET])
        with link.pushed as pushed:
            received = [await pushed.receive()]
            while received[-1] != messages[-1]:
                received.append(await pushed.receive())
    assert sorted(set(received)) == messages


async def test_stored_messages_survive_a_failed_claim(gateway: FakeGateway) -> None:
    """The gateway has forgotten them by then, so they wait for the next connection."""
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        client = gateway.clients[IDENTITY.public_key]
        client.stored = [b"first", b"second"]
        client.available = 0
        gateway.gives_free_bandwidth = False
        await gateway.sessions[0].reset()
        await until(link, lambda: isinstance(link.status.error, GatewayRefused))
        assert client.stored == []
        gateway.gives_free_bandwidth = True
        with link.pushed as pushed:
            assert [await pushed.receive(), await pushed.receive()] == [b"first", b"second"]


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


@pytest.mark.parametrize(
    ("version", "spoken", "kind", "rotation"),
    [
        (4, 4, RequestKind.FORWARD_SPHINX, KeyRotation.UNKNOWN),
        (5, 5, RequestKind.FORWARD_SPHINX_V2, KeyRotation.EVEN),
        (6, 6, RequestKind.FORWARD_SPHINX_V2, KeyRotation.EVEN),
        (7, 6, RequestKind.FORWARD_SPHINX_V2, KeyRotation.EVEN),
    ],
)
async def test_versions(
    gateway: FakeGateway,
    caplog: pytest.LogCaptureFixture,
    version: int,
    spoken: int,
    kind: RequestKind,
    rotation: KeyRotation,
) -> None:
    gateway.version = version
    with caplog.at_level(logging.WARNING, "nymproxy.gateway"):
        async with gateway.serve() as url, running(make_link(gateway, url)) as link:
            await link.send([PACKET])
            await gateway.until(1)
    assert f'"protocol_version":{spoken}' in gateway.sessions[0].texts[1]
    ((seen_kind, packet),) = gateway.packets
    assert seen_kind is kind
    assert packet.rotation is rotation
    assert packet.packet == PACKET.packet
    assert ("carry no key rotation" in caplog.text) is (version < 5)


async def test_too_old_a_gateway(gateway: FakeGateway) -> None:
    gateway.version = 3
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        with pytest.raises(GatewayRefused, match="choose another gateway"):
            await link.connect()
        await link.aclose()


async def test_fallback_url(gateway: FakeGateway, caplog: pytest.LogCaptureFixture) -> None:
    dead = f"ws://127.0.0.1:{await unused_port()}"
    async with gateway.serve() as url:
        async with running(make_link(gateway, dead, fallback_url=url)) as link:
            await link.send([PACKET])
            await gateway.until(1)
        assert "trying the fallback listener" in caplog.text
    link = make_link(gateway, dead, fallback_url=url)
    with pytest.raises(GatewayUnreachable, match=r"no connection to ws://127.*refused.*check"):
        await link.connect()
    await link.aclose()


@pytest.mark.parametrize("url", ["http://x:1", "ws://", "ws://host:port", "", "ws://[::1", "wss:x"])
async def test_bad_urls(gateway: FakeGateway, url: str) -> None:
    link = make_link(gateway, url)
    with pytest.raises(ConfigurationError, match="expected ws://host:port"):
        await link.connect()
    await link.aclose()


@pytest.mark.parametrize("how", ["reset", "close", "undecryptable", "error", "unparsable", "clear"])
async def test_reconnects(gateway: FakeGateway, time: FakeTime, how: str) -> None:
    """Whatever ends a connection, packets flow again on the next one, and pushes too."""
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        key = link.shared_key
        session = gateway.sessions[0]
        await link.send([PACKET])
        await gateway.until(1)
        match how:
            case "reset":
                await session.reset()
            case "close":
                await session.websocket.aclose()
            case "undecryptable":
                await session.websocket.send(b"\x01\x01" + b"x" * 60)
            case "clear":
                await session.websocket.send(b"\x01\x00" + b"x" * 60)
            case "error":
                await session.answer(ErrorResponse("Provided binary request was malformed"))
            case _:
                await session.websocket.send("{")
        second = await gateway.until_sessions(2)
        await until(link, lambda: link.is_connected)
        assert link.shared_key == key
        await link.send([PACKET])
        await gateway.until(2)
        with link.pushed as pushed:
            await second.push(b"hello again")
            assert await pushed.receive() == b"hello again"
    assert 1.0 <= time.sleeps[0] <= 2.0
    assert "authenticateV2" in second.texts[1]


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


async def test_send_waits_for_the_next_connection(gateway: FakeGateway) -> None:
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        await gateway.sessions[0].reset()
        await until(link, lambda: not link.is_connected)
        with anyio.fail_after(10):
            await link.send([PACKET])
        await gateway.until(1)


async def test_send_can_be_cancelled_and_closed(gateway: FakeGateway) -> None:
    blocked = anyio.Event()

    async def sleep(_seconds: float) -> None:
        blocked.set()
        await anyio.sleep_forever()

    async with gateway.serve() as url, running(make_link(gateway, url, sleep=sleep)) as link:
        await gateway.sessions[0].reset()
        await blocked.wait()
        assert link.status.state is LinkState.RECONNECTING
        with anyio.move_on_after(0.01) as scope:
            await link.send([PACKET])
        assert scope.cancelled_caught
        async with anyio.create_task_group() as tasks:

            async def send() -> None:
                with pytest.raises(ClientDisconnected):
                    await link.send([PACKET])

            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            await link.aclose()
    with pytest.raises(ClientDisconnected):
        await link.send([PACKET])


async def test_pushed_ends_with_the_link(gateway: FakeGateway) -> None:
    async with gateway.serve() as url:
        async with running(make_link(gateway, url)) as link:
            pushed = link.pushed
            await gateway.sessions[0].push(b"last")
            assert await pushed.receive() == b"last"
        with pushed, pytest.raises(anyio.EndOfStream):
            await pushed.receive()


async def test_consumer_gone(gateway: FakeGateway) -> None:
    """Without a reader of pushed messages the connection still works."""
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        link.pushed.close()
        await gateway.sessions[0].push(b"unread")
        await link.send([PACKET])
        await gateway.until(1)
        await until(link, lambda: link.available_bandwidth < FREE_BYTES)
        assert len(gateway.sessions) == 1


async def test_gives_up_after_ten_refusals(gateway: FakeGateway, time: FakeTime) -> None:
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        await link.connect()
        gateway.refusals.extend([DUPLICATE] * link_module.MAX_REFUSALS)
        await gateway.sessions[0].reset()
        with pytest.raises(DuplicateConnection):
            await link.run()
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


async def test_keeps_trying_an_unreachable_gateway(gateway: FakeGateway, time: FakeTime) -> None:
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        await link.connect()
    port = int(url.rpartition(":")[2])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link.run)
        await until(link, lambda: len(time.sleeps) > 15)
        assert isinstance(link.status.error, GatewayUnreachable)
        async with gateway.serve(port=port):
            await until(link, lambda: link.is_connected)
            await link.send([PACKET])
            await gateway.until(1)
            await link.aclose()


async def test_connect_can_be_cancelled(gateway: FakeGateway) -> None:
    """A server that accepts and says nothing: the caller's cancel ends it and leaks nothing."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        link = make_link(gateway, f"ws://127.0.0.1:{port}")
        with anyio.move_on_after(0.05) as scope:
            await link.connect()
        assert scope.cancelled_caught
        assert link.status.state is LinkState.IDLE
        await link.aclose()


async def test_run_can_be_cancelled(gateway: FakeGateway) -> None:
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        await link.connect()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run)
            await link.send([PACKET])
            await gateway.until(1)
            tasks.cancel_scope.cancel()
        assert link.status.state is LinkState.CLOSED
        await link.aclose()
        await link.aclose()


@pytest.mark.parametrize("phase", ["connect", "version", "handshake", "authenticate", "claim"])
async def test_time_limits(gateway: FakeGateway, phase: str) -> None:
    """Each phase against a gateway that falls silent in it, on the real clock."""
    limits = PhaseLimits(**{phase: 0.05})
    options: dict[str, Any] = {"limits": limits, "clock": anyio.current_time}
    if phase == "authenticate":
        options["shared_key"] = b"k" * 32
    silence = {
        "version": "_take_text",
        "handshake": "_register",
        "authenticate": "_authenticate",
        "claim": "_claim",
    }
    with pytest.MonkeyPatch.context() as patch:
        if phase == "connect":
            patch.setattr("tests.gateway.fake_gateway.WebSocketStream.accept", say_nothing)
        else:
            patch.setattr(f"tests.gateway.fake_gateway.FakeSession.{silence[phase]}", say_nothing)
        async with gateway.serve() as url:
            link = make_link(gateway, url, **options)
            with pytest.raises(PhaseTimeout, match=r"within 0.05 s|did not answer in time while"):
                await link.connect()
            await link.aclose()


async def test_silent_connection_is_replaced(gateway: FakeGateway) -> None:
    """No FIN ever comes from a dead peer: an unanswered ping ends the connection."""
    limits = PhaseLimits(idle=0.05, pong=0.5)
    link = make_link(gateway, "", limits=limits, clock=anyio.current_time)
    async with gateway.serve() as url:
        link.listener = GatewayListener(gateway.node, url)
        async with running(link):
            session = gateway.sessions[0]
            # It answers pings as long as it reads.
            await anyio.sleep(0.2)
            assert len(gateway.sessions) == 1
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(session.websocket._stream, "receive", say_nothing)
                await gateway.until_sessions(2)
            await until(link, lambda: link.is_connected)
            await link.send([PACKET])
            await gateway.until(1)


async def test_wss(gateway: FakeGateway) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with gateway.serve(ssl_context=server) as url:
        assert url.startswith("wss://")
        async with running(make_link(gateway, url, ssl_context=client)) as link:
            await link.send([PACKET] * 200)
            await gateway.until(200)
            await gateway.sessions[0].reset()
            await until(link, lambda: not link.is_connected)
            await link.send([PACKET])
            await gateway.until(201)
        untrusting = make_link(gateway, url)
        with pytest.raises(GatewayUnreachable, match="certificate verify failed"):
            await untrusting.connect()
        await untrusting.aclose()


async def test_misuse(gateway: FakeGateway) -> None:
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        with pytest.raises(UsageError, match="follows connect"):
            await link.run()
        async with running(link):
            with pytest.raises(UsageError, match="connects once"):
                await link.connect()
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(UsageError):
                await link.run()


async def test_many_senders_share_a_bounded_buffer(gateway: FakeGateway) -> None:
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        connection = link._connection
        assert connection is not None
        most = 0

        async def send() -> None:
            nonlocal most
            for _ in range(5):
                await link.send([PACKET] * 20)
                most = max(most, connection._websocket.buffered_bytes)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(partial(send))
        await gateway.until(1000)
    assert most < 200_000
