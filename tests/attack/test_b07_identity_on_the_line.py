"""B7: who watches the line between a client and its gateway sees the identity key, or does not."""

from __future__ import annotations

import json
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from nymproxy.connection_options import DEFAULT_OPTIONS, ConnectionOptions, TlsMode
from nymproxy.errors import GatewayUnreachable, TopologyUnavailable, UnknownGateway
from nymproxy.localnet import Localnet, LocalnetConfig
from nymproxy.mixnet.client.connecting import Environment, find_gateway
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.directory import ApiUrl, NetworkDetails, choose_gateway
from nymproxy.mixnet.directory.bodies import (
    ACTIVE_MIXNODES_PATH,
    ENTRY_GATEWAYS_PATH,
    KEY_ROTATION_PATH,
    REWARDED_SET_PATH,
)
from nymproxy.mixnet.directory.client import MAX_BODY_BYTES
from nymproxy.mixnet.directory.http_session import http_session
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.storage import ClientKeys, GatewayRegistration, StoredClient
from tests.directory.network import Network, identity, json_answer, node, read_node, serve
from tests.gateway.fake_gateway import FakeGateway, FakeTime
from tests.gateway.links import IDENTITY, make_link, running
from tests.proxy_servers import http_proxy, join

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import ByteStream

    from nymproxy.mixnet.directory import Topology


def texts_on_the_line(carried: bytes) -> bytes:
    """What an observer reads who takes the mask off, which stands in each frame."""
    head, blank, frames = carried.partition(b"\r\n\r\n")
    if not blank:
        return b""
    server = ServerProtocol()
    server.receive_data(head + blank)
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    server.receive_data(frames)
    return b"".join(event.data for event in server.events_received() if isinstance(event, Frame))


@pytest.mark.parametrize("secure", [False, True])
async def test_only_tls_hides_whose_connection_it_is(secure: bool) -> None:
    gateway = FakeGateway(FakeTime())
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        http_proxy() as observer,
        gateway.serve(ssl_context=server if secure else None) as url,
    ):
        options = ConnectionOptions(proxy=observer.url, ssl_context=trusting)
        with anyio.fail_after(20):
            async with running(make_link(gateway, url, options=options)):
                pass
    (carried,) = observer.carried
    key = ",".join(str(byte) for byte in IDENTITY.public_key).encode()
    assert (key in texts_on_the_line(bytes(carried))) is not secure
    assert carried.startswith(b"\x16\x03" if secure else b"GET ")


async def test_an_untrusted_certificate_is_refused_when_tls_must_be() -> None:
    """Prefer does without then, and says so: an attacker on the line can have that."""
    gateway = FakeGateway(FakeTime())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server)
    async with gateway.serve(ssl_context=server) as secure, gateway.serve() as plain:
        link = make_link(gateway, secure)
        with pytest.raises(GatewayUnreachable, match="certificate"):
            await link.connect()
        await link.aclose()
        async with running(make_link(gateway, secure, fallback_url=plain)) as link:
            assert link.is_connected


async def test_a_whole_client_goes_by_tls() -> None:
    """A localnet whose gateway is behind a TLS server, and whose directory says so."""
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with Localnet(LocalnetConfig(gateways=1, seed=7)) as localnet:
        bodies = await read_bodies(localnet.directory_url.rstrip("/"))
        plain_port = urlsplit(localnet.gateways[0].url).port
        assert plain_port is not None
        async with (
            tls_in_front(server, plain_port) as port,
            serve(lambda target: json_answer(bodies[urlsplit(target).path])) as directory,
        ):
            for entry in bodies[ENTRY_GATEWAYS_PATH]["nodes"]["data"]:
                entry["entry"] |= {"hostname": "localhost", "wss_port": port, "ws_port": 9}
            network = NetworkDetails("localnet", (ApiUrl(directory.url),), "")
            options = ConnectionOptions(tls="always", ssl_context=trusting)
            with anyio.fail_after(30):
                async with await MessageClient.connect(
                    network, profile="bare", options=options
                ) as client:
                    await client.send(client.address, b"to myself")
                    assert (await anext(client.receive())).payload == b"to myself"


async def read_bodies(url: str) -> dict[str, Any]:
    paths = (KEY_ROTATION_PATH, REWARDED_SET_PATH, ACTIVE_MIXNODES_PATH, ENTRY_GATEWAYS_PATH)
    async with http_session(
        timeout_seconds=10, max_body_bytes=MAX_BODY_BYTES, options=DEFAULT_OPTIONS
    ) as session:
        return {path: await session.get(url + path, json.loads) for path in paths}


@asynccontextmanager
async def tls_in_front(context: ssl.SSLContext, plain_port: int) -> AsyncIterator[int]:
    """Take TLS off, and pass the rest on to a port of this machine."""
    plain = await anyio.create_tcp_listener(local_host="localhost")
    listener = TLSListener(plain, context, standard_compatible=False)

    async def serve_one(stream: ByteStream) -> None:
        async with stream, await anyio.connect_tcp("127.0.0.1", plain_port) as upstream:
            await join(stream, upstream, bytearray())

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve_one)
        yield plain.extra(SocketAttribute.local_port)
        group.cancel_scope.cancel()


# Which URLs are used, by what is stored, offered and asked for.

SECURE, PLAIN = "wss://gw.example:9001", "ws://gw.example:9000"
KEYS = ClientKeys.generate(system_random_bytes)


def topology(*, offers_tls: bool) -> Topology:
    entry = {
        "hostname": "gw.example", "ws_port": 9000, "wss_port": 9001 if offers_tls else None,
    }  # fmt: skip
    gateways = [node(4, gateway=True, entry=entry), node(5, gateway=True)]
    return Network(gateways=gateways).topology()


async def urls(
    tls: TlsMode, *, offers_tls: bool, stored: tuple[str, str | None]
) -> tuple[str, str | None]:
    registration = GatewayRegistration(identity(4), bytes(32), *stored, 2000 * 10**9, 0)
    environment = Environment(
        lambda: 0.0, lambda: 1000.0, system_random_bytes, ConnectionOptions(tls=tls)
    )
    found = await find_gateway(
        StoredClient(KEYS, registration, 0),
        None,
        topology(offers_tls=offers_tls),
        None,  # type: ignore[arg-type]  # no directory is asked for a gateway that is known
        environment,
    )
    assert found.shared_key == bytes(32), "the address stays"
    return found.listener, found.fallback


@pytest.mark.parametrize(
    ("tls", "stored", "expected"),
    [
        ("prefer", (PLAIN, None), (SECURE, PLAIN)),
        ("prefer", (SECURE, "ws://old.example:1"), (SECURE, "ws://old.example:1")),
        ("always", (PLAIN, None), (SECURE, None)),
        ("always", (SECURE, PLAIN), (SECURE, None)),
        ("never", (SECURE, PLAIN), (PLAIN, "ws://127.0.0.4:9000")),
        ("never", (PLAIN, None), (PLAIN, None)),
    ],
)
async def test_stored_urls_follow_the_mode(
    tls: TlsMode, stored: tuple[str, str | None], expected: tuple[str, str | None]
) -> None:
    assert await urls(tls, offers_tls=True, stored=stored) == expected


async def test_without_an_offer() -> None:
    assert await urls("prefer", offers_tls=False, stored=(PLAIN, None)) == (PLAIN, None)
    with pytest.raises(UnknownGateway, match="offers no TLS"):
        await urls("always", offers_tls=False, stored=(PLAIN, None))


def test_new_clients_that_must_have_tls_choose_among_those_that_offer_it() -> None:
    nodes = list(topology(offers_tls=True).nodes.values())
    chosen = {
        choose_gateway(nodes, None, system_random_bytes, needs_tls=True).node_id for _ in range(50)
    }
    assert chosen == {4}
    without = [read_node(node(5, gateway=True))]
    with pytest.raises(TopologyUnavailable, match="offers TLS"):
        choose_gateway(without, None, system_random_bytes, needs_tls=True)
