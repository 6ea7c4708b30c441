"""Blocking callers: the client in a thread of its own."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import ListenerAlreadyTaken, PhaseTimeout, StreamReset, UsageError
from nymproxy.stream.background import BackgroundClient, BackgroundStream, in_background
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager


@asynccontextmanager
async def own_network() -> AsyncIterator[StreamEndpoint]:
    """One endpoint that talks to itself: client and server of a network of its own."""
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("self"), grace_seconds=1) as endpoint,
    ):
        yield endpoint


async def connect() -> AbstractAsyncContextManager[StreamEndpoint]:
    return own_network()


@pytest.fixture(params=["asyncio", "trio"])
def client(request: pytest.FixtureRequest) -> Iterator[BackgroundClient]:
    with in_background(connect, backend=request.param) as client:
        yield client


def test_a_blocking_conversation(client: BackgroundClient) -> None:
    answers: list[bytes] = []

    def serve() -> None:
        with listener.accept(timeout=60) as stream:
            answers.append(b"".join(stream))
            stream.send(b"answer")
            stream.send_eof()

    listener = client.listener()
    server = threading.Thread(target=serve)
    server.start()
    with client.open_stream(client.address, wait=True, timeout=60) as stream:
        stream.send(b"question")
        stream.drain(timeout=60)
        stream.send_eof()
        assert stream.receive(timeout=60) == b"answer"
        with pytest.raises(anyio.EndOfStream):
            stream.receive(timeout=60)
        assert stream.peer == client.address
        assert stream.error is None
        assert 0 <= stream.stream_id < 1 << 64
        stream.wait_closed(timeout=60)
    server.join()
    assert answers == [b"question"]


def test_iterating_a_listener_ends_when_another_thread_closes_it(
    client: BackgroundClient,
) -> None:
    accepted: list[BackgroundStream] = []
    with client.listener() as listener:

        def serve() -> None:
            accepted.extend(listener)

        server = threading.Thread(target=serve)
        server.start()
        for _ in range(3):
            client.open_stream(client.address, wait=True, timeout=60).close()
        while len(accepted) < 3:
            threading.Event().wait(0.005)
        listener.close()
        server.join()
    assert len(accepted) == 3


def test_waiting_for_a_peer_that_does_not_listen_has_a_limit(client: BackgroundClient) -> None:
    with pytest.raises(PhaseTimeout):
        client.open_stream(client.address, wait=True, timeout=0.02)


def test_time_limits_and_errors_reach_the_caller(client: BackgroundClient) -> None:
    listener = client.listener()
    with pytest.raises(ListenerAlreadyTaken):
        client.listener()
    with pytest.raises(TimeoutError):
        listener.accept(timeout=0.001)
    stream = client.open_stream(client.address, wait=True, timeout=60)
    for receive in (stream.receive, stream.receive_frame):
        with pytest.raises(TimeoutError):
            receive(timeout=0.01)
    stream.abort(reason="enough")
    with pytest.raises(anyio.BrokenResourceError) as caught:
        stream.receive()
    assert isinstance(caught.value.__cause__, StreamReset)


def test_an_exception_in_the_block_aborts(client: BackgroundClient) -> None:
    def fail_in_the_block() -> None:
        with client.open_stream(client.address, wait=True, timeout=60) as stream:
            streams.append(stream)
            raise LookupError

    streams: list[BackgroundStream] = []
    client.listener()
    with pytest.raises(LookupError):
        fail_in_the_block()
    assert isinstance(streams[0].error, StreamReset)


def test_leaving_the_block_ends_a_blocked_call() -> None:
    ended: list[type[BaseException]] = []
    with in_background(connect) as client:
        listener = client.listener()

        def accept() -> None:
            try:
                listener.accept()
            except anyio.BrokenResourceError as error:
                ended.append(type(error))

        thread = threading.Thread(target=accept)
        thread.start()
        with pytest.raises(TimeoutError):
            client.open_stream(client.address).receive(timeout=0.02)
    thread.join(10)
    assert not thread.is_alive()


def test_an_endpoint_has_no_statistics(client: BackgroundClient) -> None:
    with pytest.raises(UsageError, match="StreamEndpoint has no statistics"):
        client.statistics()
