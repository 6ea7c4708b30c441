"""The methods and facts of a stream, and of a listener, beyond anyio's contract."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import TypedAttributeLookupError
from anyio.abc import ByteStream, Listener

from nymproxy.address import SenderTag
from nymproxy.errors import (
    ClientDisconnected,
    ListenerAlreadyTaken,
    StreamDataLost,
    StreamRefused,
    StreamReset,
    UnknownGateway,
)
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.stream.nx2.accepting import HOLD_SECONDS
from nymproxy.stream.stream import MixnetStream, StreamAttribute
from nymproxy.testing import MemoryFaults, MemoryMessage, MemoryNetwork, MessageFate, MessageKind
from tests.stream.support import (
    NX1,
    PLAIN,
    BarePeer,
    connected_pair,
    frames_of,
    on_virtual_time,
    receive_all,
    receive_exactly,
    with_rules,
)

if TYPE_CHECKING:
    from nymproxy.stream.listener import MixnetListener


async def test_both_ends_tell_what_they_know() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect(wait=True)
        assert isinstance(dialed, ByteStream)
        assert dialed.extra(StreamAttribute.local_address) == pair.dialer.address
        assert dialed.extra(StreamAttribute.peer) == dialed.peer == pair.acceptor.address
        assert isinstance(accepted.extra(StreamAttribute.peer), SenderTag)
        ids = {stream.extra(StreamAttribute.stream_id) for stream in (dialed, accepted)}
        assert ids == {dialed.stream_id} == {accepted.stream_id}
        # An opening brings 17 of its 20: one is spent, ten kept, three come with the first data.
        assert accepted.extra(StreamAttribute.reply_surbs_in_hand) == 6
        with pytest.raises(TypedAttributeLookupError):
            dialed.extra(StreamAttribute.reply_surbs_in_hand)
        assert f"{dialed.stream_id:016x}" in repr(dialed)


def test_the_round_trip_is_measured() -> None:
    async def main() -> None:
        async with connected_pair(faults=MemoryFaults(delay_seconds=0.2)) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address)
            assert dialed.extra(StreamAttribute.round_trip_seconds, None) is None
            await anyio.sleep(1)
            measured = dialed.extra(StreamAttribute.round_trip_seconds)
            assert measured == pytest.approx(0.4 + HOLD_SECONDS)

    on_virtual_time(main)


async def test_repr_and_errors_show_no_tag_and_no_address() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect(wait=True)
        accepted.abort(reason="bye")
        await dialed.wait_closed()
        shown = f"{dialed!r} {accepted!r} {dialed.error} {accepted.error}"
        assert str(accepted.peer) not in shown
        assert str(dialed.peer) not in shown


async def test_frames_keep_their_bounds_for_receive_frame() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        listener = endpoint.listener()
        await bare.open(endpoint.address, 7)
        stream = await listener.accept()
        for sequence, payload in enumerate([b"one", b"twotwo", b"three", b""]):
            await bare.data(endpoint.address, 7, sequence, payload)
        assert await stream.receive_frame() == b"one"
        assert await stream.receive(3) == b"two"
        assert await stream.receive_frame() == b"two"
        assert await stream.receive() == b"three"
        with pytest.raises(anyio.EndOfStream):
            await stream.receive_frame()
        assert stream.is_at_end


async def test_the_payload_of_an_open_comes_first() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        listener = endpoint.listener()
        await bare.data(endpoint.address, 7, 0, b"then")
        await bare.open(endpoint.address, 7, payload=b"first,")
        assert await receive_exactly(await listener.accept(), 10) == b"first,then"


async def test_drain_waits_for_acknowledgements() -> None:
    faults = MemoryFaults(delay_seconds=0.02)
    async with connected_pair(faults=faults) as pair:
        dialed, _ = await pair.connect()
        await dialed.send(b"x" * 5000)
        await dialed.drain()
        data = [
            message
            for message in pair.network.messages(MessageKind.MESSAGE)
            if StreamFrame.decode(message.payload).message_type is MessageType.DATA
        ]
        assert data
        assert all(message.delivered_at for message in data)
        await dialed.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await dialed.drain()


async def test_drain_raises_when_a_frame_is_given_up() -> None:
    def choose(message: MemoryMessage) -> MessageFate:
        is_data = message.payload[10:11] == b"\x01"
        return MessageFate.ABANDON if is_data else MessageFate.DELIVER

    faults = MemoryFaults(choose_fate=choose, retransmission_seconds=0.001, max_retransmissions=2)
    async with connected_pair(options=NX1, faults=faults) as pair:
        dialed, accepted = await pair.connect(wait=True)
        await dialed.send(b"lost")
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await dialed.drain()
        assert isinstance(caught.value.__cause__, StreamDataLost)
        # The peer is told, since it would wait in vain.
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await accepted.receive()
        assert isinstance(caught.value.__cause__, StreamReset)


async def test_wait_closed_returns_after_both_ends() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect()
        closed: list[str] = []

        async def wait(name: str, stream: MixnetStream) -> None:
            await stream.wait_closed()
            closed.append(name)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as task_group:
                task_group.start_soon(wait, "dialed", dialed)
                task_group.start_soon(wait, "accepted", accepted)
                await dialed.send_eof()
                await anyio.wait_all_tasks_blocked()
                assert closed == []
                await receive_all(accepted)
                await accepted.send_eof()
                await receive_all(dialed)
        assert sorted(closed) == ["accepted", "dialed"]
        assert dialed.error is accepted.error is None


async def test_closing_flushes() -> None:
    async with connected_pair(faults=MemoryFaults(delay_seconds=0.01)) as pair:
        dialed, accepted = await pair.connect()
        async with anyio.create_task_group() as task_group:
            received: list[bytes] = []

            async def receive() -> None:
                received.append(await receive_all(accepted))

            task_group.start_soon(receive)
            async with dialed:
                await dialed.send(b"x" * 200_000)
        assert received == [b"x" * 200_000]


def test_closing_gives_up_after_ten_seconds() -> None:
    async def main() -> None:
        async with connected_pair(options=NX1) as pair:
            dialed, _ = await pair.connect(wait=True)
            pair.links[0].disconnect()
            await dialed.send(b"x")
            started = anyio.current_time()
            await dialed.aclose()
            assert anyio.current_time() - started == pytest.approx(10, abs=0.1)
            pair.links[0].reconnect()

    on_virtual_time(main)


def test_a_cancelled_large_send_breaks_the_stream_a_small_one_does_not() -> None:
    async def main() -> None:
        options = with_rules(initial_window_bytes=32 * 1024, send_window_bytes=16 * 1024)
        async with connected_pair(options=options) as pair:
            for size, is_broken in ((100, False), (1_000_000, True)):
                dialed, _ = await pair.connect(wait=True)
                with anyio.move_on_after(5):
                    while True:
                        await dialed.send(bytes(size))
                with anyio.move_on_after(2) as scope:
                    try:
                        await dialed.send(bytes(100))
                    except anyio.BrokenResourceError:
                        assert is_broken
                assert scope.cancelled_caught is not is_broken
                dialed.abort()

    on_virtual_time(main)


async def test_after_close_buffered_data_is_not_handed_out() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect()
        await dialed.send(b"x")
        await dialed.drain()
        await accepted.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await accepted.receive()
        with pytest.raises(anyio.ClosedResourceError):
            await accepted.receive_frame()


async def test_after_send_eof_send_says_closed() -> None:
    async with connected_pair() as pair:
        dialed, _ = await pair.connect()
        await dialed.send_eof()
        for item in (b"", b"x"):
            with pytest.raises(anyio.ClosedResourceError):
                await dialed.send(item)


async def test_abort_is_idempotent_and_ends_our_own_calls() -> None:
    async with connected_pair() as pair:
        dialed, _ = await pair.connect(wait=True)

        async def expect_broken() -> None:
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.receive()
            assert isinstance(caught.value.__cause__, StreamReset)

        async with anyio.create_task_group() as task_group:
            task_group.start_soon(expect_broken)
            await anyio.wait_all_tasks_blocked()
            for _ in range(2):
                dialed.abort()
        await dialed.wait_closed()
        resets = [frame for frame in pair.frames() if frame.message_type is MessageType.RESET]
        assert len(resets) == 1


async def test_many_streams_share_two_endpoints() -> None:
    async with connected_pair() as pair:
        results: dict[int, bytes] = {}

        async def echo(stream: MixnetStream) -> None:
            async with stream:
                await stream.send(await receive_all(stream))

        async def ask(number: int) -> None:
            async with await pair.dialer.open_stream(pair.acceptor.address) as stream:
                await stream.send(b"%d," % number * 1000)
                await stream.send_eof()
                results[number] = await receive_all(stream)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as serving:
                serving.start_soon(pair.listener.serve, echo)
                async with anyio.create_task_group() as asking:
                    for number in range(20):
                        asking.start_soon(ask, number)
                serving.cancel_scope.cancel()
        assert results == {number: b"%d," % number * 1000 for number in range(20)}


# Opening and listening.


async def test_an_unknown_gateway_is_an_error_of_open() -> None:
    stranger = MemoryNetwork(seed=9).endpoint()
    async with connected_pair() as pair:
        with pytest.raises(UnknownGateway):
            await pair.dialer.open_stream(stranger.address)


async def test_one_listener_for_each_client() -> None:
    async with connected_pair() as pair:
        with pytest.raises(ListenerAlreadyTaken):
            pair.acceptor.listener()
        await pair.listener.aclose()
        with pytest.raises(ListenerAlreadyTaken):
            pair.acceptor.listener()


async def test_the_listener_is_one_of_anyios() -> None:
    async with connected_pair() as pair:
        listener: Listener[MixnetStream] = pair.listener
        assert listener.extra(StreamAttribute.local_address) == pair.acceptor.address


async def test_closing_the_listener_wakes_accept_and_serve() -> None:
    async with connected_pair() as pair:

        async def expect_closed(listener: MixnetListener) -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await listener.accept()

        async def handler(stream: MixnetStream) -> None:
            raise AssertionError

        async def expect_serve_closed(listener: MixnetListener) -> None:
            with pytest.raises(BaseExceptionGroup) as caught:
                await listener.serve(handler)
            assert caught.group_contains(anyio.ClosedResourceError)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as task_group:
                task_group.start_soon(expect_closed, pair.listener)
                task_group.start_soon(expect_serve_closed, pair.listener)
                await anyio.wait_all_tasks_blocked()
                await pair.listener.aclose()
        await pair.listener.aclose()


@pytest.mark.parametrize(
    "error",
    [
        anyio.EndOfStream(),
        ssl.SSLError("no shared cipher"),
        ConnectionResetError("of what the handler asked"),
        ExceptionGroup("of a task group", [anyio.BrokenResourceError("reset")]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_a_peer_can_cause_ends_its_stream_alone(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(stream: MixnetStream) -> None:
        if await stream.receive() == b"fail":
            raise error
        await stream.send(b"answer")
        await stream.aclose()

    async with connected_pair() as pair, anyio.create_task_group() as tasks:
        tasks.start_soon(pair.listener.serve, handler)
        failing, other = [await pair.dialer.open_stream(pair.acceptor.address) for _ in range(2)]
        await failing.send(b"fail")
        with anyio.fail_after(60), pytest.raises(anyio.BrokenResourceError):
            await failing.receive()
        await other.send(b"ask")
        with anyio.fail_after(60):
            assert await receive_all(other) == b"answer"
        tasks.cancel_scope.cancel()
    assert "a stream ends before its time: " in caplog.text


async def test_a_fault_of_the_handler_is_not_hidden() -> None:
    async def handler(stream: MixnetStream) -> None:
        raise ValueError("a bug")

    async with connected_pair() as pair:
        await pair.dialer.open_stream(pair.acceptor.address)
        with anyio.fail_after(60), pytest.raises(BaseExceptionGroup) as caught:
            await pair.listener.serve(handler)
        assert caught.group_contains(ValueError, match="a bug")


async def test_closing_the_listener_refuses_who_waits_and_who_comes() -> None:
    async with connected_pair() as pair:
        waiting = await pair.dialer.open_stream(pair.acceptor.address, wait=True, timeout=30)
        await pair.listener.aclose()
        with anyio.fail_after(30):
            await waiting.wait_closed()
        assert isinstance(waiting.error, StreamRefused)
        with pytest.raises(StreamRefused):
            await pair.dialer.open_stream(pair.acceptor.address, wait=True, timeout=30)


async def test_a_cancelled_accept_loses_no_stream() -> None:
    async with connected_pair() as pair:
        for _ in range(3):
            with anyio.move_on_after(0.01):
                await pair.listener.accept()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await pair.listener.accept()
        opened = await pair.dialer.open_stream(pair.acceptor.address)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await pair.listener.accept()
        assert (await pair.listener.accept()).stream_id == opened.stream_id


async def test_serve_runs_handlers_in_a_task_group_of_the_caller() -> None:
    async with connected_pair() as pair:
        served = anyio.Event()

        async def handler(stream: MixnetStream) -> None:
            await stream.aclose()
            served.set()

        async with anyio.create_task_group() as task_group:
            task_group.start_soon(pair.listener.serve, handler, task_group)
            stream = await pair.dialer.open_stream(pair.acceptor.address)
            assert await receive_all(stream) == b""
            with anyio.fail_after(30):
                await served.wait()
            task_group.cancel_scope.cancel()


async def test_leaving_the_endpoint_flushes_and_ends_its_streams() -> None:
    async with (
        MemoryNetwork(faults=MemoryFaults(delay_seconds=0.01)) as network,
        StreamEndpoint(network.endpoint("acceptor"), grace_seconds=0) as acceptor,
    ):
        listener = acceptor.listener()
        async with StreamEndpoint(network.endpoint("dialer")) as dialer:
            stream = await dialer.open_stream(acceptor.address)
            await stream.send(b"x" * 100_000)
        assert await receive_all(await listener.accept()) == b"x" * 100_000
        with pytest.raises(ClientDisconnected):
            await dialer.open_stream(acceptor.address)


async def test_an_exception_in_the_block_is_not_wrapped_and_does_not_flush() -> None:
    async def fail_in_the_block(network: MemoryNetwork) -> None:
        bare = BarePeer(network)
        async with StreamEndpoint(network.endpoint("us"), options=PLAIN) as endpoint:
            await endpoint.open_stream(bare.address)
            raise LookupError

    async with MemoryNetwork() as network:
        with pytest.raises(LookupError):
            await fail_in_the_block(network)
        assert [frame.message_type for frame in frames_of(network, "us")] == [MessageType.OPEN]


async def test_a_stream_taken_back_before_accept_is_passed_over() -> None:
    async with connected_pair() as pair:
        gone = await pair.dialer.open_stream(pair.acceptor.address, wait=True, timeout=30)
        gone.abort()
        await gone.wait_closed()
        opened, accepted = await pair.connect(wait=True)
        assert accepted.stream_id == opened.stream_id
        gone = await pair.dialer.open_stream(pair.acceptor.address, wait=True, timeout=30)
        gone.abort()
        await gone.wait_closed()
        await anyio.wait_all_tasks_blocked()
        await pair.listener.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await pair.listener.accept()
