"""TLS over a stream: both helpers, a wrong name, and a peer that says nothing."""

from __future__ import annotations

import ssl

import anyio
import pytest
import trustme
from anyio.streams.tls import TLSAttribute

from nymproxy.errors import PhaseTimeout
from nymproxy.stream.stream import MixnetStream, StreamAttribute
from nymproxy.stream.tls import accept_tls, connect_tls
from tests.stream.support import Pair, connected_pair


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("service.example").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def serve_echo(pair: Pair, context: ssl.SSLContext) -> None:
    """Answer one stream in capitals."""
    stream = await pair.listener.accept()
    try:
        async with await accept_tls(stream, context) as tls:
            async for part in tls:
                await tls.send(part.upper())
    except (ssl.SSLError, anyio.BrokenResourceError):
        await anyio.aclose_forcefully(stream)


async def test_bytes_go_both_ways_under_tls(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        task_group.start_soon(serve_echo, pair, server_context)
        stream = await pair.dialer.open_stream(pair.acceptor.address)
        async with await connect_tls(stream, "service.example", client_context) as tls:
            for word in (b"hello", b"goodbye"):
                await tls.send(word)
                assert await tls.receive() == word.upper()
            assert tls.extra(TLSAttribute.tls_version).startswith("TLS")
            assert tls.extra(StreamAttribute.peer) == pair.acceptor.address
        wire = b"".join(frame.payload for frame in pair.frames())
        assert b"goodbye" not in wire


async def test_a_certificate_of_another_name_is_refused(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        task_group.start_soon(serve_echo, pair, server_context)
        stream = await pair.dialer.open_stream(pair.acceptor.address)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_tls(stream, "other.example", client_context)
        with pytest.raises(anyio.ClosedResourceError):
            await stream.send(b"x")
        task_group.cancel_scope.cancel()


@pytest.mark.parametrize("is_server", [False, True])
async def test_a_silent_peer_runs_into_the_time_limit(
    *, is_server: bool, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    async def shake(stream: MixnetStream) -> None:
        if is_server:
            await accept_tls(stream, server_context, timeout=0.05)
        else:
            await connect_tls(stream, "service.example", client_context, timeout=0.05)

    async with connected_pair() as pair:
        dialed, _ = await pair.connect()
        with pytest.raises(PhaseTimeout):
            await shake(dialed)
        with pytest.raises(anyio.ClosedResourceError):
            await dialed.send(b"x")


async def test_a_peer_that_ends_in_the_middle_is_an_error_that_says_so(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        for is_shaken in (False, True):
            dialed, accepted = await pair.connect()

            async def cut(accepted: MixnetStream = accepted, *, shakes: bool = is_shaken) -> None:
                if shakes:
                    await accept_tls(accepted, server_context)
                await accepted.send_eof()

            task_group.start_soon(cut)
            with pytest.raises(anyio.BrokenResourceError, match="without ending TLS"):
                await (await connect_tls(dialed, "service.example", client_context)).receive()
            await anyio.aclose_forcefully(dialed)


async def test_the_end_of_tls_says_what_it_is(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        dialed, accepted = await pair.connect()

        async def end() -> None:
            await (await accept_tls(accepted, server_context)).aclose()

        task_group.start_soon(end)
        async with await connect_tls(dialed, "service.example", client_context) as tls:
            with pytest.raises(anyio.EndOfStream, match="the peer has ended"):
                await tls.receive()
