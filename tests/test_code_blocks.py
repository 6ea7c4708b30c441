"""Each Python block of README and docs/ is run: it is a file of examples/, or stands by itself."""

from __future__ import annotations

import re
import runpy
import signal
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trustme

from nymproxy.legacy.client import NymProxyClient
from nymproxy.stream.background import in_background
from nymproxy.stream.client import MixnetClient
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import MemoryNetwork
from nymproxy.testing.orphans import ends_with_us
from tests.legacy.memory_clients import MemoryConnector
from tests.legacy.proxies import running_server, until
from tests.pages import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from nymproxy.stream.stream import MixnetStream
    from nymproxy.testing.localnet import BackgroundLocalnet
    from nymproxy.tracing import Trace, TraceEvent

EXAMPLES = ROOT / "examples"
FILES = {path.read_text(): path.name for path in EXAMPLES.glob("*.py")}


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / name))


def block_with(text: str) -> dict[str, Any]:
    """Run the only block that has a text and is no file; return its names."""
    (block,) = [each for _, each in blocks("python") if text in each and each not in FILES]
    names: dict[str, Any] = {"__name__": "block"}
    exec(block, names)
    return names


def test_each_block_is_a_file_or_is_run_below() -> None:
    rest = [block for _, block in blocks("python") if block not in FILES]
    assert {
        re.findall(
            r"def (test_\w+|first_line|ask_all|events_of_a_stream|one_line|serve_tls)", block
        )[-1]
        for block in rest
    } == {
        "events_of_a_stream",
        "first_line",
        "one_line",
        "ask_all",
        "serve_tls",
        "test_the_answer_is_loud",
        "test_a_client_connects",
    }
    shown = {FILES[block] for _, block in blocks("python") if block in FILES}
    assert shown == {
        "background_in_flask.py",
        "grpc_over_proxy.py",
        "httpx_over_stream.py",
        "quickstart_client.py",  # tests/test_readme.py runs these two
        "quickstart_server.py",
        "stream_echo_client.py",  # tests/test_console_blocks.py runs these two
        "stream_echo_server.py",
        "tls_over_stream.py",
        "tracing_with_opentelemetry.py",
    }


@asynccontextmanager
async def served(
    handler: Callable[[MixnetStream], Awaitable[None]], trace: Trace | None = None
) -> AsyncIterator[tuple[StreamEndpoint, str]]:
    """A client of a network in memory, and the address of a server there."""
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("server"), grace_seconds=0) as server,
        StreamEndpoint(network.endpoint("client"), grace_seconds=0, trace=trace) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.listener().serve, handler)
        yield client, str(server.address)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_http() -> None:
    async def answer(stream: MixnetStream) -> None:
        async with stream:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += await stream.receive()
            assert b"Host: service\r\n" in request
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")

    async with served(answer) as (client, address):
        assert await example("httpx_over_stream.py")["fetch"](client, address) == "page"


async def test_tls_with_a_certificate_of_the_name_and_of_another() -> None:
    authority = trustme.CA()
    own, trusted = (
        ssl.create_default_context(purpose) for purpose in (ssl.Purpose.CLIENT_AUTH,) * 2
    )
    authority.issue_cert("service.example").configure_cert(own)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)

    serve_tls = block_with("accept_tls(stream, certificate)")["serve_tls"]
    ask = example("tls_over_stream.py")["ask"]
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("server"), grace_seconds=0) as server,
        StreamEndpoint(network.endpoint("client"), grace_seconds=0) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(serve_tls, server, own)
        address = str(server.address)
        with pytest.raises(ssl.SSLCertVerificationError, match=r"other\.example"):
            await ask(client, address, "other.example", trusted)
        answer = await ask(client, address, "service.example", trusted)
        assert answer == b"hello through the mixnet"
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncio_readers_and_writers() -> None:
    echo = example("stream_echo_server.py")["echo"]
    async with served(echo) as (client, address):
        assert await block_with("asyncio_streams(")["first_line"](client, address) == b"hello\n"


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_trio() -> None:
    echo = example("stream_echo_server.py")["echo"]
    async with served(echo) as (client, address):
        answers = await block_with("import trio")["ask_all"](client, address, [b"one", b"two"])
    assert sorted(answers) == [b"one", b"two"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_grpc(tmp_path: Path) -> None:
    aio = pytest.importorskip("grpc.aio", reason="grpcio is not installed here")
    import grpc

    async def hello(name: bytes, _context: object) -> bytes:
        return b"hello " + name

    async def chat(names: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
        async for name in names:
            yield await hello(name, context)

    service = aio.server()
    methods = {
        "Hello": grpc.unary_unary_rpc_method_handler(hello),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }
    handler = grpc.method_handlers_generic_handler("greeter.Greeter", methods)
    service.add_generic_rpc_handlers((handler,))
    port = service.add_insecure_port("127.0.0.1:0")
    await service.start()
    socket = str(tmp_path / "grpc.sock")
    async with MemoryNetwork() as network, running_server(network, f"127.0.0.1:{port}") as server:
        proxy_to = partial(
            NymProxyClient,
            server.nym_address(),
            listen=f"unix:{socket}",
            wire="stream",
            connector=MemoryConnector(network),
        )
        assert (
            await example("grpc_over_proxy.py")["call"](proxy_to(), socket, "Ann") == b"hello Ann"
        )
        async with proxy_to(), aio.insecure_channel(f"unix:{socket}") as channel:
            chatting = channel.stream_stream("/greeter.Greeter/Chat")()
            for name in (b"Ann", b"Bob"):
                await chatting.write(name)
                assert await chatting.read() == b"hello " + name
            await chatting.done_writing()
            assert await chatting.read() is aio.EOF
    await service.stop(None)


async def test_events() -> None:
    assert await block_with("events_of_a_stream")["events_of_a_stream"]() == [
        "open_stream started",
        "open_stream complete",
        "stream started",
        "stream failed",  # nobody listens there
    ]


async def test_opentelemetry() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not here")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    names = example("tracing_with_opentelemetry.py")
    hook = names["spans_of"](provider.get_tracer("test"))
    async with served(example("stream_echo_server.py")["echo"], trace=hook) as (client, address):
        answer = await names["ask"](client, address)
        await until(lambda: len(exporter.get_finished_spans()) == 2)
    opened, stream = exporter.get_finished_spans()
    assert (opened.name, stream.name) == ("nymproxy.open_stream", "nymproxy.stream")
    assert stream.status.is_unset
    assert (stream.attributes or {})["nymproxy.received_bytes"] == len(answer) == 24


async def test_the_test_in_memory() -> None:
    await block_with("test_the_answer_is_loud")["test_the_answer_is_loud"]()


def test_flask() -> None:
    pytest.importorskip("flask", reason="it came to the group `test` late: install that again")
    addresses: list[str] = []

    @asynccontextmanager
    async def client_of_a_server() -> AsyncIterator[StreamEndpoint]:
        async with served(example("stream_echo_server.py")["echo"]) as (client, address):
            addresses.append(address)
            yield client

    async def connect() -> AbstractAsyncContextManager[StreamEndpoint]:
        return client_of_a_server()

    with in_background(connect):
        pass  # the address of a network's server is the same each time
    background = in_background(connect)
    app = example("background_in_flask.py")["make_app"](background, addresses[0])
    try:
        assert app.test_client().get("/ask/anybody+there").data == b"anybody+there"
    finally:
        background.stop()


def test_an_example_ends_by_ctrl_c_without_a_word(
    nymproxy_localnet: BackgroundLocalnet, tmp_path: Path
) -> None:
    env, keys = nymproxy_localnet.env_file, tmp_path / "keys"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:  # a shell lets what it starts in the background ignore Ctrl-C, and the children of that
        server = subprocess.Popen(
            [sys.executable, EXAMPLES / "stream_echo_server.py", env, keys],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        with ends_with_us(server.pid):
            assert server.stdout is not None
            assert "@" in server.stdout.readline()
            server.send_signal(signal.SIGINT)
            assert server.communicate(timeout=60) == ("", "")
    finally:
        server.kill()
        server.communicate()
    assert server.returncode == 0


def test_statistics(nymproxy_localnet: BackgroundLocalnet) -> None:
    one_line = block_with("def one_line")["one_line"]

    async def connected() -> str:
        env = nymproxy_localnet.env_file
        async with await MixnetClient.connect(env, profile="bare", trace=seen.append) as client:
            return str(one_line(client))

    seen: list[TraceEvent] = []
    assert anyio.run(connected).startswith("ready: ")
    operations = ["connect", "connect.directory", "connect.directory"]
    operations += ["connect.gateway", "connect.gateway", "connect"]
    assert [event.operation for event in seen] == operations
    assert {event.phase for event in seen} == {"started", "complete"}
    with MixnetClient.in_background(nymproxy_localnet.env_file, profile="bare") as client:
        assert one_line(client).startswith("ready: ")


def test_the_test_on_the_localnet(nymproxy_localnet: BackgroundLocalnet) -> None:
    block_with("test_a_client_connects")["test_a_client_connects"](nymproxy_localnet)
