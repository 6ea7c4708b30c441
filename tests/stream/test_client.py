"""MixnetClient: streams over real packets on a network on paper, and the two modes."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from nymproxy.errors import (
    ClientDisconnected,
    ListenerAlreadyTaken,
    StreamModeActive,
    StreamRefused,
    UsageError,
)
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.stream import StreamOptions
from nymproxy.stream.client import MixnetClient
from nymproxy.stream.stream import MixnetStream, StreamAttribute
from tests.client.paper_network import PaperNetwork
from tests.stream.support import receive_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable

    from nymproxy.address import NymAddress
    from nymproxy.stream.listener import MixnetListener


class Network(PaperNetwork):
    """A network on paper with clients that have streams."""

    @asynccontextmanager
    async def stream_client(
        self, gateway: int = 0, options: StreamOptions | None = None
    ) -> AsyncIterator[MixnetClient]:
        message_client = await self.make_client(gateway)
        async with MixnetClient(message_client, stream_options=options) as client:
            yield client


async def echo(stream: MixnetStream) -> None:
    async with stream:
        async for part in stream:
            await stream.send(part)


async def test_streams_cross_the_real_packet_layers() -> None:
    network = Network()
    data = os.urandom(60_000)
    async with network.stream_client(0) as dialer, network.stream_client(1) as acceptor:
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(acceptor.listener().serve, echo)
            stream = await dialer.open_stream(acceptor.address, wait=True, timeout=60)
            task_group.start_soon(stream.send, data)
            got = b""
            with anyio.fail_after(60):
                while len(got) < len(data):
                    got += await stream.receive()
                await stream.send_eof()
                assert await receive_all(stream) == b""
            task_group.cancel_scope.cancel()
        assert got == data
        assert stream.extra(StreamAttribute.local_address) == dialer.address


async def test_s9_a_lost_gateway_ends_everything_with_client_disconnected() -> None:
    network = Network()
    async with network.stream_client() as dialer, network.stream_client() as acceptor:
        listener = acceptor.listener()
        stream = await dialer.open_stream(acceptor.address, wait=True, timeout=60)
        accepted = await listener.accept()
        causes: list[BaseException | None] = []

        async def expect_broken(call: Callable[[], Any]) -> None:
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await call()
            causes.append(caught.value.__cause__)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as task_group:
                network.acks = lambda _packet: 0
                await accepted.send(b"on the way")
                task_group.start_soon(expect_broken, accepted.receive)
                task_group.start_soon(expect_broken, listener.accept)
                await anyio.wait_all_tasks_blocked()
                network.links[acceptor.address.identity].break_for_good()
        stream.abort()  # nobody is there to take what leaving would flush
        network.acks = lambda _packet: 1
        assert [type(cause) for cause in causes] == [ClientDisconnected] * 2
        with pytest.raises(ClientDisconnected):
            await acceptor.open_stream(dialer.address)
        with pytest.raises(ClientDisconnected):
            acceptor.listener()
        stream.abort()


async def test_leaving_a_client_flushes_its_streams() -> None:
    network = Network()
    async with network.stream_client() as acceptor:
        listener = acceptor.listener()
        async with network.stream_client() as dialer:
            stream = await dialer.open_stream(acceptor.address)
            await stream.send(b"x" * 50_000)
        with anyio.fail_after(60):
            assert await receive_all(await listener.accept()) == b"x" * 50_000
    with pytest.raises(ClientDisconnected):
        await dialer.open_stream(acceptor.address)


async def test_leaving_a_client_ends_its_streams_for_who_reads_already() -> None:
    network = Network()
    ended = []

    async def read(listener: MixnetListener) -> None:
        ended.append(await receive_all(await listener.accept()))

    async with network.stream_client() as acceptor, anyio.create_task_group() as reading:
        reading.start_soon(read, acceptor.listener())
        with anyio.fail_after(60):
            async with network.stream_client() as dialer:
                stream = await dialer.open_stream(acceptor.address)
                await stream.send(b"last words")
    assert ended == [b"last words"]


async def test_an_exception_in_the_block_goes_on_as_it_is() -> None:
    async def fail_in_the_block() -> None:
        async with Network().stream_client() as client:
            client.listener()
            raise LookupError

    with pytest.raises(LookupError):
        await fail_in_the_block()


async def test_one_listener_for_each_client() -> None:
    async with Network().stream_client() as client:
        client.listener()
        with pytest.raises(ListenerAlreadyTaken):
            client.listener()


async def test_without_a_listener_streams_are_refused() -> None:
    network = Network()
    async with network.stream_client() as dialer, network.stream_client() as acceptor:
        listener = acceptor.listener()
        await listener.aclose()
        with pytest.raises(StreamRefused):
            await dialer.open_stream(acceptor.address, wait=True, timeout=60)


# The two modes.


async def test_a_client_carries_messages_until_the_first_stream() -> None:
    network = Network()
    async with network.stream_client() as client, network.client() as peer:
        modes = [client.is_in_stream_mode]
        await client.send(peer.address, b"message", surbs=20)
        received = await anext(peer.receive())
        assert received.sender_tag is not None
        await peer.send(received.sender_tag, b"reply")
        assert (await anext(client.receive())).payload == b"reply"
        client.listener()
        modes.append(client.is_in_stream_mode)
        assert modes == [False, True]
        with pytest.raises(StreamModeActive):
            await client.send(peer.address, b"message")
        with pytest.raises(StreamModeActive):
            await client.send_plain(peer.address, b"message")
        with pytest.raises(StreamModeActive):
            client.receive()


async def test_stream_mode_ends_a_waiting_message_iterator() -> None:
    network = Network()
    async with network.stream_client() as client, network.stream_client() as acceptor:
        ended: list[str] = []
        messages = client.receive()

        async def read() -> None:
            async for _ in messages:
                raise AssertionError
            ended.append("iterator")

        with anyio.fail_after(60):
            async with anyio.create_task_group() as task_group:
                task_group.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                listener = acceptor.listener()
                stream = await client.open_stream(acceptor.address, wait=True, timeout=60)
            assert ended == ["iterator"]
            accepted = await listener.accept()
            await accepted.send(b"hello")
            assert await stream.receive() == b"hello"
        with pytest.raises(StopAsyncIteration):
            await anext(messages)


async def test_one_task_at_a_time_reads_messages() -> None:
    async with Network().stream_client() as client, anyio.create_task_group() as task_group:

        async def read() -> None:
            await anext(client.receive())

        task_group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(anyio.BusyResourceError):
            await anext(client.receive())
        task_group.cancel_scope.cancel()


async def test_options_reach_the_streams() -> None:
    network = Network()
    plain = StreamOptions(extensions=False)
    async with (
        network.stream_client(options=plain) as dialer,
        network.stream_client() as acceptor,
    ):
        listener = acceptor.listener()
        stream = await dialer.open_stream(acceptor.address)
        await stream.send(b"all")
        await stream.send_eof()
        accepted = await listener.accept()
        assert await receive_all(accepted) == b"all"
        await accepted.aclose()
        assert await receive_all(stream) == b""


# Connecting.


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let ``MessageClient.connect`` make a client on paper; return what it was given."""
    given: dict[str, Any] = {}

    async def connect(
        cls: type[MessageClient], /, network: Network, **arguments: Any
    ) -> MessageClient:
        given.update(arguments)
        return await network.make_client()

    monkeypatch.setattr(MessageClient, "connect", classmethod(connect))
    return given


async def test_connect_passes_arguments_on(connected: dict[str, Any]) -> None:
    options = StreamOptions(max_frame_bytes=1000)
    network: Any = Network()
    client = await MixnetClient.connect(network, stream_options=options, profile="bare")
    assert connected == {"profile": "bare"}
    assert client.stream_options is options
    await client.aclose()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_in_the_background(connected: dict[str, Any], backend: str) -> None:
    network: Any = Network()
    with MixnetClient.in_background(network, backend=backend, storage="state") as client:
        assert connected == {"storage": "state"}
        listener = client.listener()
        with client.open_stream(client.address, wait=True, timeout=60) as stream:
            stream.send(b"to myself")
            stream.send_eof()
            with listener.accept(timeout=60) as accepted:
                assert b"".join(accepted) == b"to myself"


# Isolation.


@asynccontextmanager
async def isolating(network: Any, **arguments: Any) -> AsyncIterator[MixnetClient]:
    async with await MixnetClient.connect(network, **arguments) as client:
        yield client


async def tag_of(
    client: MixnetClient, address: NymAddress, listener: MixnetListener, isolation: Hashable
) -> object:
    """Open a stream and end it; return who its acceptor takes the dialer for."""
    async with await client.open_stream(address, isolation=isolation) as stream:
        await stream.send(b"?")
        async with await listener.accept() as accepted:
            await accepted.receive()
            return accepted.extra(StreamAttribute.peer)


async def test_streams_with_different_isolation_never_share_an_identity(
    connected: dict[str, Any],
) -> None:
    network: Any = Network()
    async with network.stream_client() as server:
        listener = server.listener()
        with anyio.fail_after(60):
            async with isolating(network, profile="bare", storage="state") as client:
                values = (None, "one", ("two", 2))
                tags = [await tag_of(client, server.address, listener, each) for each in values]
                assert await tag_of(client, server.address, listener, "one") == tags[1]
    assert len(set(tags)) == len(values)
    assert connected["storage"] is None  # what is isolated is forgotten
    assert connected["profile"] == "bare"


async def test_what_was_written_under_isolation_arrives_when_the_client_is_left(
    connected: dict[str, Any],
) -> None:
    network: Any = Network()
    async with network.stream_client() as server:
        listener = server.listener()
        received = []

        async def read() -> None:
            async with await listener.accept() as accepted:
                received.append(await accepted.receive())

        with anyio.fail_after(60):
            async with anyio.create_task_group() as reading:
                reading.start_soon(read)
                async with isolating(network) as client:
                    stream = await client.open_stream(server.address, isolation="x")
                    await stream.send(b"last words")
    assert received == [b"last words"]


async def test_a_client_that_was_not_connected_here_cannot_isolate() -> None:
    async with Network().stream_client() as client:
        with pytest.raises(UsageError, match=r"MixnetClient\.connect"):
            await client.open_stream(client.address, isolation=1)
