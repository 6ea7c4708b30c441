"""Both proxies over a mixnet in memory, with real sockets at both ends."""

from __future__ import annotations

import logging
import socket
import uuid
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from nymproxy.errors import (
    AddressError,
    ClientDisconnected,
    ConfigurationError,
    GatewayUnreachable,
    UsageError,
)
from nymproxy.forward.sockets import read_on_demand, reset_stream
from nymproxy.legacy import LegacySettings, WireSettings
from nymproxy.legacy.client import NymProxyClient
from nymproxy.legacy.server import NymProxyServer
from nymproxy.stream import StreamOptions
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.legacy.addresses import some_address
from tests.legacy.memory_clients import MemoryClient, MemoryConnector
from tests.legacy.proxies import (
    Proxies,
    echo,
    free_port,
    proxies,
    read_all,
    running_server,
    until,
    upstream,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from nymproxy.address import NodeIdentity
    from nymproxy.legacy.identities import IdentityMode

WIRES = pytest.mark.parametrize("wire", ["legacy", "stream"])


@pytest.fixture
async def network() -> AsyncIterator[MemoryNetwork]:
    async with MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network:
        yield network


@pytest.fixture
def hasty_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server give up at once on clients that it cannot tell that it stops."""
    for module in ("driver", "mux"):
        monkeypatch.setattr(f"nymproxy.channel.{module}.ABORT_SECONDS", 0.1)
    monkeypatch.setattr("nymproxy.forward.forwarder._CLEANUP_SECONDS", 0.1)
    monkeypatch.setattr("nymproxy.legacy.server.FLUSH_SECONDS", 0.1)


@WIRES
async def test_request_half_close_response(network: MemoryNetwork, wire: str) -> None:
    async with proxies(network, wire=wire) as both, await both.connect() as app:
        await app.send(b"hello")
        assert await app.receive() == b"hello"
        await app.send(b", world")
        await app.send_eof()
        assert await read_all(app) == b", world"


@WIRES
@pytest.mark.parametrize("identity_mode", ["per-connection", "pool", "shared"])
async def test_twenty_connections_at_once(
    network: MemoryNetwork, wire: str, identity_mode: str
) -> None:
    answers: dict[int, bytes] = {}
    async with proxies(network, wire=wire, identity_mode=identity_mode) as both:

        async def one(number: int) -> None:
            async with await both.connect() as app:
                body = bytes([number]) * (1000 * number + 1)
                await app.send(body)
                await app.send_eof()
                answers[number] = await read_all(app)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(one, number)
        identities = {"per-connection": 20, "pool": 2, "shared": 1}[identity_mode]
        made = len(both.connector.clients)
        assert identities <= made <= identities + 2  # and the reserve
        if identity_mode == "per-connection":
            assert both.connector.most_connecting <= 4  # D36
    assert answers == {number: bytes([number]) * (1000 * number + 1) for number in range(20)}
    assert all(client.closed for client in both.connector.clients)


@pytest.mark.parametrize(
    ("identity_mode", "busy", "idle"), [("per-connection", 5, 2), ("pool", 2, 2), ("shared", 1, 1)]
)
async def test_each_identity_is_a_connection_to_a_gateway(
    network: MemoryNetwork, identity_mode: str, busy: int, idle: int
) -> None:
    """With three connections of apps open, and after: what lines and gateways can count."""

    def connected() -> int:
        return sum(each.entered and not each.closed for each in both.connector.clients)

    async with proxies(network, identity_mode=identity_mode) as both:
        async with AsyncExitStack() as apps:
            for _ in range(3):
                app = await apps.enter_async_context(await both.connect())
                await app.send(b"?")
                assert await app.receive() == b"?"
            await until(lambda: connected() == busy)
        await until(lambda: connected() == idle)


@WIRES
async def test_a_megabyte_each_way(network: MemoryNetwork, wire: str) -> None:
    network.faults = MemoryFaults(delay_seconds=0.002, jitter_seconds=0.005, duplication=0.1)
    body = bytes(range(256)) * 4096
    async with proxies(network, wire=wire) as both, await both.connect() as app:

        async def upload() -> None:
            await app.send(body)
            await app.send_eof()

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(upload)
                assert await read_all(app) == body


@WIRES
async def test_d12_the_server_speaks_first(network: MemoryNetwork, wire: str) -> None:
    async def greeter(stream: SocketStream) -> None:
        await stream.send(b"220 ready\r\n")
        await echo(stream)

    settings = WireSettings(legacy=LegacySettings(wake_up_after_seconds=0.05))
    async with (
        proxies(network, greeter, wire=wire, settings=settings) as both,
        await both.connect() as app,
    ):
        with anyio.fail_after(20):
            assert await app.receive() == b"220 ready\r\n"
        await app.send(b"QUIT\r\n")
        assert await app.receive() == b"QUIT\r\n"


async def test_d10_the_upstreams_end_reaches_the_app(network: MemoryNetwork) -> None:
    """An app that reads until the end, and does not end itself."""

    async def http(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.0 200 OK\r\n\r\nthe page")
        await stream.aclose()

    async with proxies(network, http) as both, await both.connect() as app:
        await app.send(b"GET / HTTP/1.0\r\n\r\n")
        with anyio.fail_after(20):
            assert await read_all(app) == b"HTTP/1.0 200 OK\r\n\r\nthe page"


@WIRES
async def test_d11_an_upstream_that_is_down_is_seen_at_once(
    network: MemoryNetwork, wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"127.0.0.1:{await free_port()}"
    async with proxies(network, address, wire=wire) as both, await both.connect() as app:
        with anyio.fail_after(20):
            await app.send(b"anybody there?")
            with pytest.raises(anyio.BrokenResourceError):
                await read_all(app)
        assert "cannot be reached" in caplog.text


async def test_d18_session_map_is_live(network: MemoryNetwork) -> None:
    async with proxies(network) as both:
        assert both.server.session_map() == {}
        async with await both.connect() as app:
            await app.send(b"12345")
            assert await app.receive() == b"12345"
            ((number, session),) = both.server.session_map().items()
            assert (number, session.number, session.protocol) == (1, 1, "legacy")
            assert (session.bytes_from_peer, session.bytes_to_peer) == (5, 5)
            assert uuid.UUID(session.session_id).version == 8
            assert session.seconds >= 0
            await app.send_eof()
            assert await read_all(app) == b""
        await until(lambda: not (both.server.session_map()))


@WIRES
async def test_d14_d17_many_sessions_one_after_the_other_leave_nothing(
    network: MemoryNetwork, wire: str
) -> None:
    async with proxies(network, wire=wire, identity_mode="shared") as both:
        for number in range(30):
            async with await both.connect() as app:
                await app.send(b"%d" % number)
                await app.send_eof()
                assert await read_all(app) == b"%d" % number
        await until(lambda: not (both.server.session_map() or both.client.session_count))


@pytest.mark.parametrize("mode", ["per-connection", "shared"])
async def test_a_connection_goes_to_the_first_server_that_can_be_reached(
    network: MemoryNetwork, mode: IdentityMode
) -> None:
    async with (
        upstream(echo) as address,
        running_server(network, address) as server,
        NymProxyClient(
            [some_address(), str(server.nym_address())],
            listen_port=0,
            wire="stream",
            identity_mode=mode,
            connector=MemoryConnector(network),
        ) as client,
        await anyio.connect_tcp(*client.local_address) as app,
    ):
        with anyio.fail_after(20):
            await app.send(b"hello")
            await app.send_eof()
            assert await read_all(app) == b"hello"


async def test_d25_a_client_that_cannot_be_made_resets_the_connection(
    network: MemoryNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    connector = MemoryConnector(network)
    async with (
        running_server(network, "127.0.0.1:9") as server,
        NymProxyClient(
            server.nym_address(),
            listen_port=0,
            identity_mode="shared",
            connector=connector,
        ) as client,
    ):
        connector.failures = 1e6
        connector.clients[0].endpoint.lose_gateway()
        await until(lambda: connector.failures < 1e6)
        async with await anyio.connect_tcp(*client.local_address) as app:
            with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(20):
                await read_all(app)
        assert "could not be carried: the gateway does not answer" in caplog.text


@WIRES
async def test_d34_an_app_that_goes_away_ends_the_session_on_both_sides(
    network: MemoryNetwork, wire: str, hasty_stop: None
) -> None:
    ended = anyio.Event()

    async def endless(stream: SocketStream) -> None:
        try:
            while True:
                await stream.send(b"x" * 65536)
        finally:
            ended.set()

    # A legacy client can only say that its app has ended; that nobody listens shows by itself.
    limits = WireSettings(legacy=LegacySettings(half_closed_timeout_seconds=0.5))
    async with proxies(network, endless, wire=wire, server={"settings": limits}) as both:
        app = await both.connect()
        await app.send(b"go")
        await app.receive()
        await reset_stream(app)
        await until(lambda: not both.client.session_count)
        await until(lambda: any(client.closed for client in both.connector.clients))
        with anyio.fail_after(30):
            await ended.wait()


@WIRES
async def test_d34_an_upstream_that_resets_ends_the_session(
    network: MemoryNetwork, wire: str
) -> None:
    async def rude(stream: SocketStream) -> None:
        await stream.receive()
        await reset_stream(stream)

    async with proxies(network, rude, wire=wire) as both, await both.connect() as app:
        await app.send(b"hello")
        with anyio.fail_after(20):
            with pytest.raises(anyio.BrokenResourceError):
                await read_all(app)


async def connect_with_small_buffer(address: tuple[str, int]) -> SocketStream:
    """An app that takes little before it reads, so that the test need not send much."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    raw.setblocking(False)
    with suppress(BlockingIOError):
        raw.connect(address)
    stream = await SocketStream.from_socket(raw)
    read_on_demand(stream)
    return stream


async def test_d27_an_app_that_does_not_read_stops_the_upstream(network: MemoryNetwork) -> None:
    """On streams, where the receiver grants what may be sent."""
    sent = 0

    async def fast(stream: SocketStream) -> None:
        nonlocal sent
        stream.extra(SocketAttribute.raw_socket).setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 16384
        )
        while sent < 50_000_000:
            await stream.send(bytes(65536))
            sent += 65536

    async with (
        proxies(network, fast, wire="stream") as both,
        await connect_with_small_buffer(both.client.local_address) as app,
    ):
        await app.send(b"go")
        before = -1
        with anyio.fail_after(60):
            while sent != before or not sent:
                before = sent
                await anyio.sleep(0.3)
        assert 0 < sent < 50_000_000


async def test_r13_an_app_that_does_not_read_loses_its_session_and_no_other(
    network: MemoryNetwork, hasty_stop: None
) -> None:
    """Legacy messages cannot be held back: beyond the limit the session is aborted."""

    async def many(stream: SocketStream) -> None:
        if await stream.receive() == b"much":
            while True:
                await stream.send(bytes(65536))
        await echo(stream)

    settings = WireSettings(legacy=LegacySettings(reorder_limit_bytes=200_000))
    async with (
        proxies(network, many, identity_mode="shared", settings=settings) as both,
        await both.connect() as other,
        await connect_with_small_buffer(both.client.local_address) as app,
    ):
        await other.send(b"little")
        await app.send(b"much")
        await until(lambda: both.client.session_count == 2)
        await until(lambda: both.client.session_count == 1, seconds=10)
        await other.send(b"still here")
        assert await other.receive() == b"still here"
        with pytest.raises(anyio.BrokenResourceError):
            await read_all(app)


@WIRES
async def test_d30_stopping_the_server_tells_the_sessions(
    network: MemoryNetwork, wire: str
) -> None:
    async with upstream(echo) as address, running_server(network, address) as server:
        client = NymProxyClient(
            server.nym_address(),
            listen_port=0,
            connector=MemoryConnector(network),
            wire=wire,  # type: ignore[arg-type]
        )
        async with client, await anyio.connect_tcp(*client.local_address) as app:
            await app.send(b"hello")
            assert await app.receive() == b"hello"
            with anyio.fail_after(30):
                server.disconnect_signal().send()
                with pytest.raises(anyio.BrokenResourceError):
                    await read_all(app)


async def test_stopping_the_client_tells_the_server(network: MemoryNetwork) -> None:
    """The half of an upload must not look like a whole one."""
    was_reset: list[bool] = []

    async def record(stream: SocketStream) -> None:
        await stream.send(b"go on")  # from then on the client knows what the server understands
        with pytest.raises(anyio.BrokenResourceError):
            await read_all(stream)
        was_reset.append(True)

    async with upstream(record) as address, running_server(network, address) as server:
        client = NymProxyClient(
            server.nym_address(), listen_port=0, connector=MemoryConnector(network)
        )
        async with client:
            app = await anyio.connect_tcp(*client.local_address)
            await app.send(b"half an upload")
            assert await app.receive() == b"go on"
        with pytest.raises(anyio.BrokenResourceError):
            await read_all(app)
        await app.aclose()
        await until(lambda: was_reset)


async def test_a_client_that_is_cancelled_while_it_stops_leaves_no_task(
    network: MemoryNetwork,
) -> None:
    async with running_server(network, "127.0.0.1:9") as server:
        client = NymProxyClient(
            server.nym_address(), listen_port=0, connector=MemoryConnector(network)
        )
        with anyio.CancelScope() as scope:
            async with client:
                scope.cancel()
        with pytest.raises(OSError, match="failed"):
            await anyio.connect_tcp(*client.local_address)


async def test_d15_a_server_whose_client_is_lost_stops_with_an_error(
    network: MemoryNetwork,
) -> None:
    connector = MemoryConnector(network, name="server")
    server = await NymProxyServer.create("127.0.0.1:9", None, connector=connector)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:

            async def lose() -> None:
                await anyio.sleep(0.05)
                connector.clients[0].endpoint.lose_gateway()

            tasks.start_soon(lose)
            with pytest.raises(ClientDisconnected):
                await server.run_with_shutdown()


async def test_d31_another_sender_cannot_write_into_a_session(network: MemoryNetwork) -> None:
    """The same session id under another tag is a session of its own."""
    received: list[bytes] = []

    async def record(stream: SocketStream) -> None:
        async with stream:
            received.append(await read_all(stream))

    async with proxies(network, record) as both, await both.connect() as app:
        await app.send(b"mine")
        await until(lambda: both.server.session_map())
        message = next(
            record.payload for record in network.messages() if record.recipient == "server"
        )
        thief = network.endpoint("thief")
        await thief.send(both.server.nym_address(), message, surbs=20)
        await until(lambda: len(both.server.session_map()) == 2)
        await app.send_eof()
        assert await read_all(app) == b""
        assert received == [b"mine"]


async def test_one_address_serves_both_protocols_at_once(network: MemoryNetwork) -> None:
    async with upstream(echo) as address, running_server(network, address) as server:
        options: dict[str, Any] = {"listen_port": 0, "connector": MemoryConnector(network)}
        to = server.nym_address()
        async with (
            NymProxyClient(to, wire="legacy", **options) as legacy,
            NymProxyClient(to, wire="stream", **options) as stream,
            await anyio.connect_tcp(*legacy.local_address) as legacy_app,
            await anyio.connect_tcp(*stream.local_address) as stream_app,
        ):
            for app in (legacy_app, stream_app):
                await app.send(b"hello")
                assert await app.receive() == b"hello"
            assert {session.protocol for session in server.session_map().values()} == {
                "legacy",
                "stream",
            }


@WIRES
async def test_a_protocol_that_is_not_accepted_is_refused_and_both_sides_say_so(
    network: MemoryNetwork, wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = {"legacy": "stream", "stream": "legacy"}[wire]
    async with (
        proxies(network, wire=wire, server={"accept": (other,)}) as both,
        await both.connect() as app,
    ):
        await app.send(b"hello")
        with anyio.fail_after(20), pytest.raises(anyio.BrokenResourceError):
            await read_all(app)
        assert both.server.session_map() == {}
        await until(lambda: not both.client.session_count)
    said = f"this server accepts the wire {other} only"
    assert f"A session was refused: it speaks the wire {wire}, and {said}" in caplog.messages
    assert any("the peer refused the channel" in line and said in line for line in caplog.messages)


async def test_auto_goes_to_streams_and_back_as_servers_are_replaced(
    network: MemoryNetwork,
) -> None:
    """First two lives of a server of ours, then one that accepts no streams any more."""

    async def wire_of(both: Proxies) -> str:
        async with await both.connect() as app:
            await app.send(b"x")
            assert await app.receive() == b"x"
            (session,) = both.server.session_map().values()
        await until(lambda: not both.server.session_map())
        return session.protocol

    settings = WireSettings()
    async with proxies(network, wire="auto", settings=settings) as both:
        assert [await wire_of(both) for _ in range(2)] == ["legacy", "stream"]
        address = both.server.nym_address()
    only_legacy = {"accept": ("legacy",)}
    async with (
        MemoryNetwork() as later,
        proxies(later, wire="auto", settings=settings, server=only_legacy) as both,
    ):
        assert both.server.nym_address() == address
        async with await both.connect() as app:
            await app.send(b"x")
            with anyio.fail_after(20), pytest.raises(anyio.BrokenResourceError):
                await read_all(app)
        assert [await wire_of(both) for _ in range(2)] == ["legacy", "legacy"]


class _RestoredConnector(MemoryConnector):
    """Connects a server's client whose address an earlier process has made."""

    async def __call__(self, gateway: NodeIdentity | None = None) -> MemoryClient:
        class Restored(MemoryClient):
            is_restored = True

        self.clients.append(Restored(self.network.endpoint(self.name)))
        return self.clients[-1]


async def test_what_its_client_gave_up_while_no_server_ran_is_not_carried_out(
    network: MemoryNetwork,
) -> None:
    """Its opening waits at the gateway, and what takes it back; another client still waits."""
    requests: list[bytes] = []

    async def note(stream: SocketStream) -> None:
        requests.append(await stream.receive())
        await stream.send(b"done")
        await stream.send_eof()

    connector = _RestoredConnector(network, name="server")
    async with upstream(note) as address:
        server = await NymProxyServer.create(address, None, connector=connector)
        patience = {"gives up": 0.3, "waits": 60}
        async with AsyncExitStack() as stack:
            clients = {
                name: await stack.enter_async_context(
                    NymProxyClient(
                        server.nym_address(),
                        listen_port=0,
                        connector=MemoryConnector(network),
                        wire="legacy",
                        connect_timeout=seconds,
                    )
                )
                for name, seconds in patience.items()
            }
            apps = {
                name: await stack.enter_async_context(
                    await anyio.connect_tcp(*client.local_address)
                )
                for name, client in clients.items()
            }
            for name, app in apps.items():
                await app.send(name.encode())
            with anyio.fail_after(30), pytest.raises(anyio.BrokenResourceError):
                await read_all(apps["gives up"])
            await until(lambda: not clients["gives up"].session_count)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            await tasks.start(server.run)
            with anyio.fail_after(30):
                assert await read_all(apps["waits"]) == b"done"
            await server.disconnect()
    assert requests == [b"waits"]


@pytest.mark.parametrize(
    ("breaks", "said"),
    [("app", "an old one takes it for an orderly end"), ("upstream", "an old one hears nothing")],
)
async def test_the_log_says_what_an_old_peer_cannot_be_told(
    network: MemoryNetwork, caplog: pytest.LogCaptureFixture, breaks: str, said: str
) -> None:
    """Either side plays an old one for the other."""

    async def half_an_answer(stream: SocketStream) -> None:
        await stream.send(await stream.receive())
        if breaks == "upstream":
            await reset_stream(stream)
        else:
            await read_all(stream)

    disguise = WireSettings(legacy=LegacySettings(session_id_version=4))
    async with proxies(network, half_an_answer, settings=disguise) as both:
        app = await both.connect()
        await app.send(b"hello")
        assert await app.receive() == b"hello"
        if breaks == "app":
            await reset_stream(app)
        await until(lambda: any(said in line for line in caplog.messages))
        await app.aclose()


async def test_max_sessions_refuses_more(
    network: MemoryNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        proxies(network, server={"max_sessions": 1}) as both,
        await both.connect() as first,
        await both.connect() as second,
    ):
        await first.send(b"1")
        assert await first.receive() == b"1"
        await second.send(b"2")
        with anyio.fail_after(20), pytest.raises(anyio.BrokenResourceError):
            await read_all(second)
    assert "was refused" in caplog.text


async def test_the_log_has_the_lines_that_scripts_read_and_no_session_ids(
    network: MemoryNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nymproxy.legacy")
    async with proxies(network) as both, await both.connect() as app:
        await app.send(b"hello")
        assert await app.receive() == b"hello"
        (session,) = both.server.session_map().values()
        await app.send_eof()
        assert await read_all(app) == b""
    assert f"Client created: {both.server.nym_address()}" in caplog.messages
    shown = [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert any(record.getMessage().startswith("Starting session: ") for record in shown)
    assert not any(session.session_id in record.getMessage() for record in shown)
    debug = [record.getMessage() for record in caplog.records]
    assert any(line.startswith(f"Starting session: {session.session_id}") for line in debug)
    assert "hello" not in caplog.text


def test_blocking_code_runs_both_in_background_threads() -> None:
    """The names and the order of the old module, from a program without event loop."""
    address = some_address()
    client = NymProxyClient(address, "127.0.0.1", "0", 60, None, 0, connector=_never)
    with (
        client.in_background() as running,
        socket.create_connection(running.local_address, timeout=30) as app,
    ):
        assert app.getpeername()[1] == running.local_address[1]


class _LonelyClient(MemoryClient):
    """The only client of a network, which lives as long as it does."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__(network.endpoint("server"))
        self._network = network

    async def __aenter__(self) -> Self:
        await self._network.__aenter__()
        return await super().__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await super().__aexit__(exc_type, exc_value, traceback)
        await self._network.__aexit__(exc_type, exc_value, traceback)


def test_blocking_code_runs_a_server_in_a_background_thread() -> None:
    async def connect(gateway: object = None) -> MemoryClient:
        return _LonelyClient(MemoryNetwork())

    with NymProxyServer.in_background("127.0.0.1:9", None, connector=connect) as running:
        assert "@" in str(running.nym_address)
        assert running.session_map() == {}
    with (
        pytest.raises(GatewayUnreachable),
        NymProxyServer.in_background("127.0.0.1:9", None, connector=_never),
    ):
        raise AssertionError("it has started without a client")


async def test_a_server_runs_as_long_as_its_block(network: MemoryNetwork) -> None:
    async def connect(gateway: object = None) -> MemoryClient:
        return MemoryClient(network.endpoint("server"))

    server = await NymProxyServer.create("127.0.0.1:9", None, connector=connect)
    async with server as running:
        assert running is server
        with pytest.raises(UsageError, match="was run before"):
            async with server:
                pass
        with pytest.raises(UsageError, match="outside of the event loop"):
            await anyio.to_thread.run_sync(lambda: anyio.run(server.disconnect))
        with pytest.raises(UsageError, match="outside of the event loop"):
            await anyio.to_thread.run_sync(server.disconnect_signal().send)
    with pytest.raises(LookupError):
        async with await NymProxyServer.create("127.0.0.1:9", None, connector=_other(network)):
            raise LookupError


def _other(network: MemoryNetwork) -> Any:
    async def connect(gateway: object = None) -> MemoryClient:
        return MemoryClient(network.endpoint())

    return connect


async def _never(gateway: object = None) -> Any:
    raise GatewayUnreachable("no gateway in this test")


async def test_a_failure_at_the_start_is_raised_as_it_is(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network, failures=1e6)
    client = NymProxyClient(
        some_address(), listen_port=0, identity_mode="shared", connector=connector
    )
    with pytest.raises(GatewayUnreachable):
        await client.run()
    with pytest.raises(UsageError, match="was run before"):
        await client.run()


async def test_a_port_in_use_is_a_configuration_error(network: MemoryNetwork) -> None:
    async with proxies(network) as both:
        port = both.client.local_address[1]
        other = NymProxyClient(some_address(), listen_port=port, connector=both.connector)
        with pytest.raises(ConfigurationError, match=str(port)):
            async with other:
                pass


def test_d33_wrong_values_are_errors_with_a_message() -> None:
    with pytest.raises(AddressError):
        NymProxyClient("x")
    address = some_address()
    for options in (
        {"listen_port": "http"},
        {"wire": "carrier-pigeon"},
        {"identity_mode": "none"},
        {"close_timeout": -1},
        {"env": "/does/not/exist.env"},
        {"profile": "turbo"},
        {"default_client_amount": -1},
        {"upstream_header": "nowhere"},
        {"settings": WireSettings(stream=StreamOptions(require_sealed=True))},
    ):
        with pytest.raises(ConfigurationError):
            NymProxyClient(address, **options)
    with pytest.raises(AddressError):
        NymProxyClient(address, gateway="not a key")


async def test_d33_the_server_checks_its_values_before_it_connects() -> None:
    for arguments, options in (
        (("upstream", None), {}),
        (("host:1", None), {"accept": ("morse",)}),
        (("host:1", None), {"accept": ()}),
        (("host:1", None), {"max_sessions": 0}),
        (("host:1", None, "/does/not/exist.env"), {}),
        (("host:1", None), {"allowed_upstreams": ["no port"]}),
    ):
        with pytest.raises(ConfigurationError):
            await NymProxyServer.create(*arguments, **options)


def test_d29_the_defaults_of_the_library() -> None:
    client = NymProxyClient.new_with_defaults(str(some_address()))
    assert str(client._endpoint) == "127.0.0.1:8080"
    destination = client._identities._destination  # type: ignore[attr-defined]
    assert destination._settings.legacy.close_timeout_seconds == 60
    assert client._identities.pool.get_pool_reserve() == 2  # type: ignore[attr-defined]
