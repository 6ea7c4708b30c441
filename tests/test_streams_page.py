"""Every Python block of docs/streams.md is run: it is an example's file, or stands by itself."""

from __future__ import annotations

import os
import re
import runpy
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trustme

from nymproxy.stream.background import in_background
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.stream.tls import accept_tls
from nymproxy.testing import MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from nymproxy.stream.stream import MixnetStream
    from nymproxy.testing.localnet import BackgroundLocalnet

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "streams.md").read_text(), re.DOTALL)
FILES = (
    "stream_echo_server.py",
    "stream_echo_client.py",
    "httpx_over_stream.py",
    "tls_over_stream.py",
    "background_in_flask.py",
)


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / name))


def block_with(text: str) -> dict[str, Any]:
    """Run the only block that has a text and is no file; return its names."""
    (block,) = [each for each in BLOCKS if text in each and each not in _texts()]
    names: dict[str, Any] = {}
    exec(block, names)
    return names


def _texts() -> list[str]:
    return [(EXAMPLES / name).read_text() for name in FILES]


def test_each_block_is_a_file_or_is_run_below() -> None:
    rest = [block for block in BLOCKS if block not in _texts()]
    assert len(BLOCKS) - len(rest) == len(FILES)
    assert [re.findall(r"def (\w+)", block)[-1] for block in rest] == [
        "first_line",
        "test_the_answer_is_loud",
        "test_a_client_connects",
    ]


@asynccontextmanager
async def served(
    handler: Callable[[MixnetStream], Awaitable[None]],
) -> AsyncIterator[tuple[StreamEndpoint, str]]:
    """A client of a network in memory, and the address of a server there."""
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("server"), grace_seconds=0) as server,
        StreamEndpoint(network.endpoint("client"), grace_seconds=0) as client,
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

    async def echo(stream: MixnetStream) -> None:
        try:
            async with await accept_tls(stream, own) as tls:
                await tls.send(await tls.receive())
        except (ssl.SSLError, anyio.BrokenResourceError):
            return

    ask = example("tls_over_stream.py")["ask"]
    async with served(echo) as (client, address):
        answer = await ask(client, address, "service.example", trusted)
        assert answer == b"hello through the mixnet"
        with pytest.raises(ssl.SSLCertVerificationError, match=r"other\.example"):
            await ask(client, address, "other.example", trusted)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncio_readers_and_writers() -> None:
    echo = example("stream_echo_server.py")["echo"]
    async with served(echo) as (client, address):
        assert await block_with("asyncio_streams(")["first_line"](client, address) == b"hello\n"


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


def test_server_and_client_on_the_localnet(
    nymproxy_localnet: BackgroundLocalnet, tmp_path: Path
) -> None:
    env = str(nymproxy_localnet.env_file)
    server = subprocess.Popen(
        [sys.executable, str(EXAMPLES / FILES[0]), env, str(tmp_path / "keys")],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        client = subprocess.run(
            [sys.executable, str(EXAMPLES / FILES[1]), env, address],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        server.kill()
        server.communicate()
    assert client.stdout == "hello through the mixnet\n"


def test_the_test_on_the_localnet(nymproxy_localnet: BackgroundLocalnet) -> None:
    block_with("test_a_client_connects")["test_a_client_connects"](nymproxy_localnet)
