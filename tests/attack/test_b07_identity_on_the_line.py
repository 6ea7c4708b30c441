"""B7: who watches the line between a client and its gateway sees the identity key, or does not."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio
import pytest
import trustme
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from nymproxy.connection_options import ConnectionOptions, TlsMode
from nymproxy.errors import GatewayUnreachable, TopologyUnavailable, UnknownGateway
from nymproxy.mixnet.connecting import Environment, find_gateway
from nymproxy.mixnet.directory import choose_gateway
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.storage import ClientKeys, GatewayRegistration, StoredClient
from tests.directory.network import Network, identity, node, read_node
from tests.gateway.fake_gateway import FakeGateway, FakeTime
from tests.gateway.links import IDENTITY, make_link, running
from tests.proxy_servers import http_proxy

if TYPE_CHECKING:
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
