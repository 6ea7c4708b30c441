"""How streams begin and end, with the defects S5 to S9, S12 and S14 of nym-sdk 1.21.6."""

from __future__ import annotations

import anyio
import pytest

from nymproxy.errors import (
    ClientDisconnected,
    PhaseTimeout,
    StreamIdleTimeout,
    StreamOverflow,
    StreamRefused,
)
from nymproxy.stream import StreamOptions
from nymproxy.stream.codec import MessageType
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import (
    MemoryNetwork,
)
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

KIB = 1024


# S5: idle is an error, and both directions count.


def test_s5_an_idle_stream_ends_with_an_error_not_an_end() -> None:
    async def main() -> None:
        async with connected_pair(options=PLAIN) as pair:
            dialed, accepted = await pair.connect()
            started = anyio.current_time()
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.receive()
            assert isinstance(caught.value.__cause__, StreamIdleTimeout)
            assert anyio.current_time() - started == pytest.approx(1800, abs=5)
            with pytest.raises(anyio.BrokenResourceError):
                await accepted.receive()

    on_virtual_time(main)


def test_s5_sending_alone_keeps_a_stream_alive() -> None:
    async def main() -> None:
        async with connected_pair(options=PLAIN) as pair:
            dialed, accepted = await pair.connect()
            for _ in range(3):
                await anyio.sleep(1000)
                await dialed.send(b"x")
            assert await receive_exactly(accepted, 3) == b"xxx"
            assert dialed.error is accepted.error is None

    on_virtual_time(main)


# S6, S7: the end of one direction.


async def test_s6_send_eof_only_half_closes() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect()
        await dialed.send(b"request")
        await dialed.send_eof()
        assert await receive_all(accepted) == b"request"
        await accepted.send(b"response" * 10_000)
        await accepted.send_eof()
        assert await receive_all(dialed) == b"response" * 10_000


@pytest.mark.parametrize("options", [StreamOptions(), NX1, PLAIN], ids=["NX2", "NX1", "plain"])
async def test_s7_the_peer_sees_the_end_after_all_data(options: StreamOptions) -> None:
    async with connected_pair(options=options) as pair:
        dialed, accepted = await pair.connect()
        await accepted.send(b"x" * 100_000)
        await accepted.aclose()
        assert await receive_all(dialed) == b"x" * 100_000


async def test_s7_a_rust_peer_is_told_the_end_by_an_empty_frame() -> None:
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("us"), grace_seconds=0) as endpoint,
    ):
        bare = BarePeer(network)
        stream = await endpoint.open_stream(bare.address)
        await stream.send(b"all")
        await stream.send_eof()
        frames = [(await bare.receive())[0] for _ in range(3)]
        assert [
            (frame.message_type, frame.sequence, frame.payload)
            for frame in sorted(frames, key=lambda frame: (frame.message_type, frame.sequence))
        ] == [
            (MessageType.OPEN, 0, b""),
            (MessageType.DATA, 0, b"all"),
            (MessageType.DATA, 1, b""),
        ]


async def test_s7_compat_eof_can_be_switched_off() -> None:
    options = StreamOptions(compat_eof=False)
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("us"), options=options, grace_seconds=0) as endpoint,
    ):
        bare = BarePeer(network)
        stream = await endpoint.open_stream(bare.address)
        await stream.send(b"all")
        await stream.send_eof()
        await stream.drain()
        sent = [
            frame.payload
            for frame in frames_of(network, "us")
            if frame.message_type is not MessageType.OFFER  # which a Rust peer drops
        ]
        assert sorted(sent) == [b"", b"all"]


async def test_s7_an_empty_frame_of_a_rust_peer_is_the_end() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        stream = await endpoint.open_stream(bare.address)
        _, tag = await bare.receive()
        assert tag is not None
        await bare.data(tag, stream.stream_id, 1, b"")
        await bare.data(tag, stream.stream_id, 0, b"all")
        assert await receive_all(stream) == b"all"


# S8: a slow reader costs bounded memory.


async def test_s8_a_peer_without_windows_that_sends_too_much_is_cut_off() -> None:
    options = with_rules(unread_limit_bytes=64 * KIB)
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("us"), options=options) as endpoint,
    ):
        bare = BarePeer(network)
        listener = endpoint.listener()
        await bare.open(endpoint.address, 7)
        stream = await listener.accept()
        for sequence in range(5):
            await bare.data(endpoint.address, 7, sequence, bytes(16 * KIB))
        await anyio.wait_all_tasks_blocked()
        assert isinstance(stream.error, StreamOverflow)
        with pytest.raises(anyio.BrokenResourceError):
            await stream.send(b"x")


def test_s8_a_peer_with_windows_stops_at_the_window() -> None:
    async def main() -> None:
        options = with_rules(NX1, initial_window_bytes=128 * KIB, send_window_bytes=32 * KIB)
        async with connected_pair(options=options) as pair:
            dialed, accepted = await pair.connect(wait=True)
            with anyio.move_on_after(15) as scope:
                await dialed.send(bytes(1024 * KIB))
            assert scope.cancelled_caught
            assert sum(len(frame.payload) for frame in pair.frames()) == 128 * KIB
            assert len(await receive_exactly(accepted, 128 * KIB)) == 128 * KIB

    on_virtual_time(main)


# S9: a client that ends wakes everybody.


@pytest.mark.parametrize("is_lost", [True, False], ids=["gateway-lost", "closed"])
async def test_s9_disconnecting_wakes_readers_writers_and_accept(*, is_lost: bool) -> None:
    options = with_rules(initial_window_bytes=32 * KIB, send_window_bytes=16 * KIB)
    async with connected_pair(options=options) as pair:
        dialed, _ = await pair.connect(wait=True)
        causes: list[BaseException | None] = []

        async def expect_disconnected(call: str, *arguments: object) -> None:
            owner = pair.listener if call == "accept" else dialed
            if call == "accept":
                own_listener = pair.dialer.listener()
                owner = own_listener
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await getattr(owner, call)(*arguments)
            causes.append(caught.value.__cause__)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as task_group:
                task_group.start_soon(expect_disconnected, "receive")
                task_group.start_soon(expect_disconnected, "send", bytes(1024 * KIB))
                task_group.start_soon(expect_disconnected, "accept")
                await anyio.wait_all_tasks_blocked()
                task_group.start_soon(expect_disconnected, "drain")  # there is something to drain
                await anyio.wait_all_tasks_blocked()
                link = pair.links[0]
                if is_lost:
                    link.lose_gateway()
                else:
                    await link.aclose()
        assert [type(cause) for cause in causes] == [ClientDisconnected] * 4
        with pytest.raises(ClientDisconnected):
            await pair.dialer.open_stream(pair.acceptor.address)
        with anyio.fail_after(30):
            await dialed.wait_closed()


# S12: Opens to a client without listener.


def test_s12_an_open_waits_five_seconds_for_a_listener() -> None:
    async def main() -> None:
        async with (
            MemoryNetwork() as network,
            StreamEndpoint(network.endpoint("dialer"), grace_seconds=0) as dialer,
            StreamEndpoint(network.endpoint("acceptor"), grace_seconds=0) as acceptor,
        ):
            early = await dialer.open_stream(acceptor.address)
            await early.send(b"early")
            await anyio.sleep(4)
            stream = await acceptor.listener().accept()
            assert await stream.receive() == b"early"

    on_virtual_time(main)


def test_s12_without_a_listener_an_open_is_refused_and_forgotten() -> None:
    async def main() -> None:
        async with (
            MemoryNetwork() as network,
            StreamEndpoint(network.endpoint("dialer"), grace_seconds=0) as dialer,
            StreamEndpoint(network.endpoint("acceptor"), grace_seconds=0) as acceptor,
        ):
            with pytest.raises(StreamRefused):
                await dialer.open_stream(acceptor.address, wait=True, timeout=60)
            listener = acceptor.listener()
            with anyio.move_on_after(60) as scope:
                await listener.accept()
            assert scope.cancelled_caught

    on_virtual_time(main)


# S14: confirmation of an Open.


@pytest.mark.parametrize(
    ("options", "sign"),
    [(StreamOptions(), MessageType.ACCEPT), (NX1, MessageType.HELLO)],
    ids=["NX2", "NX1"],
)
async def test_s14_open_waits_for_a_sign_of_the_peer(
    options: StreamOptions, sign: MessageType
) -> None:
    async with connected_pair(options=options) as pair:
        dialed, _ = await pair.connect(wait=True, timeout=10)
        assert pair.frames("acceptor")[0].message_type is sign
        assert dialed.error is None


async def test_s14_open_times_out_where_nothing_confirms() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        with pytest.raises(PhaseTimeout):
            await endpoint.open_stream(bare.address, wait=True, timeout=0.05)


@pytest.mark.parametrize("answer", [MessageType.DATA, MessageType.OPEN_ACK])
async def test_s14_data_and_open_ack_confirm_too(answer: MessageType) -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)

        async def confirm() -> None:
            frame, tag = await bare.receive()
            assert tag is not None
            await bare.send(tag, answer, frame.stream_id, payload=b"x")

        async with anyio.create_task_group() as task_group:
            task_group.start_soon(confirm)
            await endpoint.open_stream(bare.address, wait=True, timeout=10)


async def test_s14_open_does_not_wait_by_default() -> None:
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("us"), grace_seconds=0) as endpoint,
    ):
        bare = BarePeer(network)
        with anyio.fail_after(30):
            stream = await endpoint.open_stream(bare.address)
        assert stream.error is None
