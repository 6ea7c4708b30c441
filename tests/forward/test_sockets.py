"""Endpoints, connecting, resetting."""

from __future__ import annotations

import contextlib
from contextlib import AsyncExitStack

import anyio
import pytest
from anyio.abc import SocketAttribute
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError, StreamRefused
from nymproxy.forward.endpoint import TcpEndpoint, parse_port
from nymproxy.forward.sockets import connect_upstream, reset_stream
from tests.forward.fakes import tcp_pair


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:22", TcpEndpoint("127.0.0.1", 22)),
        ("localhost:0", TcpEndpoint("localhost", 0)),
        ("[::1]:65535", TcpEndpoint("::1", 65535)),
        (" example.org:443\n", TcpEndpoint("example.org", 443)),
    ],
)
def test_parse(text: str, endpoint: TcpEndpoint) -> None:
    assert TcpEndpoint.parse(text) == endpoint
    assert str(endpoint) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":80", "::1:80", "host:http", "host:65536", "host:-1", "host:²"]
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ConfigurationError):
        TcpEndpoint.parse(text)


@given(st.text())
def test_parse_never_raises_anything_else(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        TcpEndpoint.parse(text)


@pytest.mark.parametrize(("port", "expected"), [(8080, 8080), ("8080", 8080), ("0", 0), (0, 0)])
def test_a_port_is_a_number_or_text(port: int | str, expected: int) -> None:
    assert parse_port(port) == expected


async def test_connect_to_a_closed_port_is_refused_at_once() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
    with pytest.raises(StreamRefused, match=f"127.0.0.1:{port}"):
        await connect_upstream(TcpEndpoint("127.0.0.1", port))


async def test_connect_has_a_time_limit() -> None:
    """A listener whose backlog is full leaves further connections without an answer."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=0) as listener:
        endpoint = TcpEndpoint("127.0.0.1", listener.extra(SocketAttribute.local_port))

        async def connect_until_the_backlog_is_full() -> None:
            async with AsyncExitStack() as streams:
                for _ in range(10):
                    stream = await connect_upstream(endpoint, timeout=0.1)
                    await streams.enter_async_context(stream)

        with pytest.raises(StreamRefused, match="did not answer"):
            await connect_until_the_backlog_is_full()


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 64 + ".invalid", ".."])
async def test_connect_to_a_name_that_does_not_resolve(host: str) -> None:
    with pytest.raises(StreamRefused):
        await connect_upstream(TcpEndpoint(host, 80), timeout=5)


async def test_reset_is_a_reset_and_drops_what_is_unsent() -> None:
    async with tcp_pair() as (app, ours):
        await reset_stream(ours)
        with pytest.raises(anyio.BrokenResourceError):
            await app.receive()


async def test_reset_of_a_reset_connection_is_quiet() -> None:
    async with tcp_pair() as (app, ours):
        await reset_stream(app)
        await reset_stream(ours)
        await reset_stream(ours)
