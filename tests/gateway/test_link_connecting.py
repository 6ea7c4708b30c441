"""nymproxy.mixnet.gateway.link: a first connection, its URLs, versions and time limits."""

from __future__ import annotations

import logging
import ssl
from typing import Any

import anyio
import pytest
import trustme

from nymproxy.connection_options import ConnectionOptions
from nymproxy.errors import ConfigurationError, GatewayUnreachable, PhaseTimeout, UsageError
from nymproxy.mixnet.gateway import LinkState, PhaseLimits, RequestKind
from nymproxy.mixnet.sphinx import KeyRotation
from tests.gateway.fake_gateway import FREE_BYTES, PACKET, FakeGateway
from tests.gateway.links import IDENTITY, Pushed, make_link, running, say_nothing, until


async def unused_port() -> int:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port: int = listener.extra(anyio.abc.SocketAttribute.local_port)
    return port


async def test_registration_and_packets(gateway: FakeGateway) -> None:
    keys: list[bytes] = []

    async def keep(key: bytes) -> None:
        keys.append(key)

    pushed = Pushed()
    async with (
        gateway.serve() as url,
        running(make_link(gateway, url, on_registered=keep), pushed) as link,
    ):
        assert (link.is_connected, link.status.state) == (True, LinkState.CONNECTED)
        assert keys == [gateway.clients[IDENTITY.public_key].key.to_bytes()] == [link.shared_key]
        assert link.available_bandwidth == FREE_BYTES
        await link.send([PACKET] * 3)
        await gateway.until(3)
        assert gateway.packets == [(RequestKind.FORWARD_SPHINX_V2, PACKET)] * 3
        await until(link, lambda: link.available_bandwidth == FREE_BYTES - 3 * len(PACKET.packet))
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


async def test_wss(gateway: FakeGateway) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with gateway.serve(ssl_context=server) as url:
        assert url.startswith("wss://")
        async with running(
            make_link(gateway, url, options=ConnectionOptions(ssl_context=client))
        ) as link:
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
            patch.setattr("tests.gateway.fake_gateway.ServerEnd.accept", say_nothing)
        else:
            patch.setattr(f"tests.gateway.fake_gateway.FakeSession.{silence[phase]}", say_nothing)
        async with gateway.serve() as url:
            link = make_link(gateway, url, **options)
            with pytest.raises(PhaseTimeout, match=r"within 0.05 s|did not answer in time while"):
                await link.connect()
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
            tasks.start_soon(link.run, Pushed().take)
            await link.send([PACKET])
            await gateway.until(1)
            tasks.cancel_scope.cancel()
        assert link.status.state is LinkState.CLOSED
        await link.aclose()
        await link.aclose()


async def test_misuse(gateway: FakeGateway) -> None:
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        with pytest.raises(UsageError, match="follows connect"):
            await link.run(Pushed().take)
        async with running(link):
            with pytest.raises(UsageError, match="connects once"):
                await link.connect()
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(UsageError):
                await link.run(Pushed().take)
