"""The dialect in which a session names its upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError, StreamRefused
from nymproxy.forward.endpoint import Endpoint, TcpEndpoint
from nymproxy.legacy.upstream_header import AllowList, make_header, read_header
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.forward.fakes import memory_channels, receive_all
from tests.legacy.proxies import echo, proxies, read_all, upstream

if TYPE_CHECKING:
    from nymproxy.legacy.upstream_header import UnreadChannel

DEFAULT = TcpEndpoint("127.0.0.1", 9)
ALLOWED = AllowList.parse(["node.example:8080", "Other.Example:*", "[::1]:22"])


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        (TcpEndpoint("node.example", 8080), True),
        (TcpEndpoint("NODE.example", 8080), True),
        (TcpEndpoint("node.example", 8081), False),
        (TcpEndpoint("other.example", 1), True),
        (TcpEndpoint("::1", 22), True),
        (TcpEndpoint("127.0.0.1", 22), False),
    ],
)
def test_allow_list(endpoint: TcpEndpoint, allowed: bool) -> None:
    assert ALLOWED.allows(endpoint) is allowed


@pytest.mark.parametrize("entry", ["*", "host", "host:port", ":*"])
def test_allow_list_refuses(entry: str) -> None:
    with pytest.raises(ConfigurationError):
        AllowList.parse([entry])


def test_make_header() -> None:
    assert make_header("[::1]:22") == b"UPSTREAM:[::1]:22\n"


async def read(pieces: list[bytes]) -> tuple[Endpoint, UnreadChannel]:
    near, far = memory_channels()
    for piece in pieces:
        await far.send(piece)
    await far.send_eof()
    return await read_header(near, DEFAULT, ALLOWED)


@pytest.mark.parametrize(
    ("sent", "endpoint", "rest"),
    [
        (b"UPSTREAM:node.example:8080\nGET /", TcpEndpoint("node.example", 8080), b"GET /"),
        (b"UPSTREAM:[::1]:22\n", TcpEndpoint("::1", 22), b""),
        (b"GET / HTTP/1.1\r\n", DEFAULT, b"GET / HTTP/1.1\r\n"),
        (b"UP", DEFAULT, b"UP"),
        (b"", DEFAULT, b""),
    ],
)
async def test_what_is_read_and_what_is_left(
    sent: bytes, endpoint: TcpEndpoint, rest: bytes
) -> None:
    chosen, channel = await read([sent])
    assert chosen == endpoint
    assert await receive_all(channel) == rest  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sent",
    [
        b"UPSTREAM:elsewhere.example:8080\n",
        b"UPSTREAM:node.example\n",
        b"UPSTREAM:\xff:1\n",
        b"UPSTREAM:node.example:8080",
        b"UPSTREAM:" + b"x" * 600,
    ],
)
async def test_what_is_refused(sent: bytes) -> None:
    with pytest.raises(StreamRefused):
        await read([sent])


@given(st.binary(max_size=60))
async def test_no_header_loses_a_byte(sent: bytes) -> None:
    if sent.startswith(b"UPSTREAM:"):
        return
    endpoint, channel = await read([sent])
    assert endpoint == DEFAULT
    assert await receive_all(channel) == sent  # type: ignore[arg-type]


async def test_a_session_reaches_the_upstream_that_it_asked_for() -> None:
    async with (
        MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network,
        upstream(echo) as wanted,
        proxies(
            network,
            "127.0.0.1:9",
            server={"allowed_upstreams": [wanted]},
            upstream_header=wanted,
        ) as both,
        await both.connect() as app,
    ):
        await app.send(b"hello")
        await app.send_eof()
        assert await read_all(app) == b"hello"
