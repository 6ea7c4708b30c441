"""What arrives, and where, with the defects S1 to S4, S13 and S15 of nym-sdk 1.21.6."""

from __future__ import annotations

import anyio
import pytest

from nymproxy.errors import (
    StreamDataLost,
    StreamRefused,
)
from nymproxy.stream import StreamOptions
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import (
    MemoryFaults,
    MemoryMessage,
    MemoryNetwork,
    MessageFate,
    MessageKind,
)
from tests.stream.support import (
    NX1,
    PLAIN,
    BarePeer,
    connected_pair,
    on_virtual_time,
    receive_all,
    receive_exactly,
    with_rules,
)

# S1: a stream exists from its Open on, not from accept().


async def test_s1_data_that_waits_for_accept_is_not_lost() -> None:
    async with connected_pair() as pair:
        dialed = await pair.dialer.open_stream(pair.acceptor.address)
        data = b"early" * 20_000
        await dialed.send(data)
        await dialed.send_eof()
        await dialed.drain()
        accepted = await pair.listener.accept()
        assert await receive_all(accepted) == data


async def test_s1_data_before_its_open_is_kept() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        listener = endpoint.listener()
        for sequence in (1, 0):
            await bare.data(endpoint.address, 7, sequence, b"%d" % sequence)
        await bare.open(endpoint.address, 7)
        stream = await listener.accept()
        assert await receive_exactly(stream, 2) == b"01"


async def test_s1_opens_beyond_the_backlog_are_refused() -> None:
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("dialer"), grace_seconds=0) as dialer,
        StreamEndpoint(network.endpoint("acceptor"), grace_seconds=0) as acceptor,
    ):
        acceptor.listener(backlog=2)
        for _ in range(2):
            await dialer.open_stream(acceptor.address, wait=True, timeout=30)
        with pytest.raises(StreamRefused):
            await dialer.open_stream(acceptor.address, wait=True, timeout=30)


# S2: a gap is an error, never skipped.


def test_s2_a_gap_that_stays_is_data_loss_and_nothing_behind_it_is_handed_out() -> None:
    async def main() -> None:
        async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
            bare = BarePeer(network)
            listener = endpoint.listener()
            await bare.open(endpoint.address, 7)
            stream = await listener.accept()
            await bare.data(endpoint.address, 7, 0, b"before")
            await bare.data(endpoint.address, 7, 2, b"behind")
            assert await stream.receive() == b"before"
            started = anyio.current_time()
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await stream.receive()
            assert isinstance(caught.value.__cause__, StreamDataLost)
            assert anyio.current_time() - started == pytest.approx(120, abs=1)

    on_virtual_time(main)


async def test_s2_too_many_frames_behind_a_gap_are_data_loss() -> None:
    options = with_rules(reorder_limit_frames=10)
    async with (
        MemoryNetwork() as network,
        StreamEndpoint(network.endpoint("us"), options=options) as endpoint,
    ):
        bare = BarePeer(network)
        listener = endpoint.listener()
        await bare.open(endpoint.address, 7)
        stream = await listener.accept()
        for sequence in range(1, 12):
            await bare.data(endpoint.address, 7, sequence, b"x")
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await stream.receive()
        assert isinstance(caught.value.__cause__, StreamDataLost)
        assert stream.error is caught.value.__cause__


# S2b: a Rust reader skips what is missing once 257 frames wait behind it.


def lose_data_frame(sequence: int) -> MemoryFaults:
    """Lose every packet of one frame, for as long as the test takes."""

    def choose(message: MemoryMessage) -> MessageFate:
        if message.kind is not MessageKind.MESSAGE:
            return MessageFate.DELIVER
        frame = StreamFrame.decode(message.payload)
        is_it = frame.message_type is MessageType.DATA and frame.sequence == sequence
        return MessageFate.ABANDON if is_it else MessageFate.DELIVER

    return MemoryFaults(choose_fate=choose, retransmission_seconds=60)


def test_s2b_never_more_than_128_frames_ahead_of_an_unacknowledged_one() -> None:
    async def main() -> None:
        options = StreamOptions(extensions=False, max_frame_bytes=100)
        async with connected_pair(options=options, faults=lose_data_frame(5)) as pair:
            dialed, _ = await pair.connect()
            with anyio.move_on_after(30):
                await dialed.send(b"x" * 100 * 400)
                await dialed.drain()
            sent = [
                frame.sequence for frame in pair.frames() if frame.message_type == MessageType.DATA
            ]
            assert 5 + 100 < max(sent) <= 5 + 128
            dialed.abort()

    on_virtual_time(main)


def test_s2b_at_most_32_frames_before_the_open_is_acknowledged() -> None:
    async def main() -> None:
        def choose(message: MemoryMessage) -> MessageFate:
            is_open = message.payload[10:11] == b"\x00" and message.kind is MessageKind.MESSAGE
            return MessageFate.ABANDON if is_open else MessageFate.DELIVER

        faults = MemoryFaults(choose_fate=choose, retransmission_seconds=60)
        options = StreamOptions(seals=False, max_frame_bytes=100)
        async with connected_pair(options=options, faults=faults) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address)
            with anyio.move_on_after(15):
                await dialed.send(b"x" * 100 * 100)
                await dialed.drain()
            sent = [frame for frame in pair.frames() if frame.message_type == MessageType.DATA]
            assert 16 <= len(sent) <= 32
            dialed.abort()

    on_virtual_time(main)


# S3: a stream belongs to one peer.


async def test_s3_two_dialers_may_use_the_same_id() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        listener = endpoint.listener()
        streams = []
        for name in ("first", "second"):
            bare = BarePeer(network, name)
            await bare.open(endpoint.address, 7)
            await bare.data(endpoint.address, 7, 0, name.encode())
            streams.append(await listener.accept())
        assert [await stream.receive() for stream in streams] == [b"first", b"second"]
        assert streams[0].peer != streams[1].peer


async def test_s3_frames_of_a_stranger_do_not_reach_a_dialed_stream() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare, stranger = BarePeer(network), BarePeer(network, "stranger")
        stream = await endpoint.open_stream(bare.address)
        _, tag = await bare.receive()
        assert tag is not None
        await stranger.data(endpoint.address, stream.stream_id, 0, b"forged")
        await bare.data(tag, stream.stream_id, 0, b"genuine")
        assert await stream.receive() == b"genuine"


# S4: the first of two frames with one number wins.


async def test_s4_a_second_frame_with_the_same_number_changes_nothing() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        listener = endpoint.listener()
        await bare.open(endpoint.address, 7)
        stream = await listener.accept()
        await bare.data(endpoint.address, 7, 1, b"first")
        await bare.data(endpoint.address, 7, 1, b"other")
        await bare.data(endpoint.address, 7, 0, b"zero,")
        assert await receive_exactly(stream, 10) == b"zero,first"


# S13: numbers wrap.


@pytest.mark.parametrize("options", [NX1, PLAIN], ids=["NX1", "plain"])
async def test_s13_sequence_numbers_wrap(options: StreamOptions) -> None:
    start = (1 << 32) - 5
    near_the_end = with_rules(
        options, first_send_sequence=start, first_receive_sequence=start, merge_delay_seconds=0
    )
    async with connected_pair(options=near_the_end) as pair:
        dialed, accepted = await pair.connect()
        for number in range(12):
            await dialed.send(b"%02d" % number)
            await dialed.drain()
        await dialed.send_eof()
        assert await receive_all(accepted) == b"".join(b"%02d" % number for number in range(12))
        sequences = [
            frame.sequence for frame in pair.frames() if frame.message_type == MessageType.DATA
        ]
        assert {start, 0, 6} <= set(sequences)


# S15: a replayed Open.


async def test_s15_a_repeated_open_of_a_closed_stream_makes_no_new_one() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        listener = endpoint.listener()
        await bare.open(endpoint.address, 7)
        first = await listener.accept()
        await first.aclose()
        await first.wait_closed()
        await bare.open(endpoint.address, 7)
        await bare.open(endpoint.address, 8)
        assert (await listener.accept()).stream_id == 8


async def test_s15_a_repeated_open_of_a_living_stream_does_not_disturb_it() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        listener = endpoint.listener()
        for _ in range(2):
            await bare.open(endpoint.address, 7)
        stream = await listener.accept()
        await bare.data(endpoint.address, 7, 0, b"goes on")
        assert await stream.receive() == b"goes on"
        with anyio.move_on_after(0.02) as scope:
            await listener.accept()
        assert scope.cancelled_caught
