"""The extension NX1 as users see it: ends, aborts and windows, and peers without it."""

from __future__ import annotations

import anyio
import pytest

from nymproxy.errors import (
    ResetCode,
    StreamRefused,
    StreamReset,
)
from nymproxy.stream import StreamOptions
from nymproxy.stream.codec import MessageType
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import (
    MemoryFaults,
    MemoryNetwork,
)
from tests.stream.support import (
    NX1,
    PLAIN,
    BarePeer,
    connected_pair,
    receive_all,
)

KIB = 1024
FULL_SUPPORT_BYTE = 0xA3

OF_RUST = {MessageType.OPEN, MessageType.DATA, MessageType.OPEN_ACK}


# The extension NX1.


async def test_nx1_every_frame_shows_it_and_control_frames_come_after_both_did() -> None:
    async with connected_pair(options=NX1) as pair:
        dialed, accepted = await pair.connect(wait=True)
        await dialed.send(b"x")
        await dialed.send_eof()
        await receive_all(accepted)
        await accepted.send_eof()
        await receive_all(dialed)
        for frames in (pair.frames(), pair.frames("acceptor")):
            assert {frame.capability_byte for frame in frames} == {FULL_SUPPORT_BYTE}
        assert [frame.message_type for frame in pair.frames()] == [
            MessageType.OPEN,
            MessageType.DATA,
            MessageType.FIN,
        ]
        assert [frame.message_type for frame in pair.frames("acceptor")] == [
            MessageType.HELLO,
            MessageType.FIN,
        ]


@pytest.mark.parametrize("who", ["dialer", "acceptor", "both"])
async def test_nx1_is_not_used_unless_both_have_it(who: str) -> None:
    options = NX1 if who == "acceptor" else PLAIN
    peer_options = NX1 if who == "dialer" else PLAIN
    async with connected_pair(options=options, peer_options=peer_options) as pair:
        dialed, accepted = await pair.connect()
        await dialed.send(b"question" * 1000)
        await dialed.send_eof()
        assert await receive_all(accepted) == b"question" * 1000
        await accepted.send(b"answer" * 1000)
        await accepted.aclose()
        assert await receive_all(dialed) == b"answer" * 1000
        for sender, own in (("dialer", options), ("acceptor", peer_options)):
            frames = pair.frames(sender)
            assert {frame.message_type for frame in frames} <= OF_RUST
            expected = FULL_SUPPORT_BYTE if own.extensions else 0
            ours = [each for each in frames if each.message_type is not MessageType.OPEN_ACK]
            assert {frame.capability_byte for frame in ours} == {expected}


async def test_nx1_abort_reaches_the_peer_with_code_and_reason() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect(wait=True)
        await accepted.send(b"never read")
        accepted.abort(ResetCode.SHUTTING_DOWN, "maintenance")
        with anyio.fail_after(30):
            await dialed.wait_closed()
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await dialed.receive()
        error = caught.value.__cause__
        assert isinstance(error, StreamReset)
        assert error.reset_code is ResetCode.SHUTTING_DOWN
        assert "maintenance" in str(error)
        with pytest.raises(anyio.BrokenResourceError):
            await dialed.send(b"x")


async def test_nx1_refusal_has_its_own_error() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect(wait=True)
        accepted.abort(ResetCode.REFUSED, "connection refused")
        with anyio.fail_after(30):
            await dialed.wait_closed()
        assert isinstance(dialed.error, StreamRefused)


async def test_nx1_abort_towards_a_plain_peer_sends_nothing() -> None:
    async with connected_pair(options=NX1, peer_options=PLAIN) as pair:
        dialed, accepted = await pair.connect()
        await accepted.send(b"x")
        await dialed.receive()
        dialed.abort()
        with anyio.fail_after(30):
            await dialed.wait_closed()
        assert {frame.message_type for frame in pair.frames()} == {MessageType.OPEN}


async def test_nx1_data_for_a_closed_stream_is_answered_once_by_a_reset() -> None:
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        bare = BarePeer(network)
        listener = endpoint.listener()
        await bare.open(endpoint.address, 7, capability_byte=FULL_SUPPORT_BYTE)
        stream = await listener.accept()
        await stream.aclose()
        await stream.wait_closed()
        for sequence in range(3):
            await bare.data(
                endpoint.address, 7, sequence, b"late", capability_byte=FULL_SUPPORT_BYTE
            )
        answers = [await bare.receive() for _ in range(3)]
        assert [frame.message_type for frame, _ in answers] == [
            MessageType.HELLO,
            MessageType.FIN,
            MessageType.RESET,
        ]
        assert int.from_bytes(answers[2][0].payload[:4], "big") == ResetCode.UNKNOWN_STREAM


@pytest.mark.parametrize("options", [StreamOptions(), NX1], ids=["NX2", "NX1"])
async def test_nx1_an_upload_that_nobody_reads_any_more_breaks(options: StreamOptions) -> None:
    faults = MemoryFaults(delay_seconds=0.01)
    async with connected_pair(options=options, faults=faults) as pair:
        dialed, accepted = await pair.connect(wait=True)

        async def upload() -> None:
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.send(bytes(8 * 1024 * KIB))
            assert isinstance(caught.value.__cause__, StreamReset)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as task_group:
                task_group.start_soon(upload)
                await accepted.send(b"413 too large")
                await accepted.aclose()
        assert await receive_all(dialed) == b"413 too large"


async def test_nx1_a_refusal_may_use_the_reply_surbs_in_reserve() -> None:
    """A client that was just started holds no others of a peer that asks it something."""
    async with MemoryNetwork() as network, StreamEndpoint(network.endpoint("us")) as endpoint:
        await endpoint.listener().aclose()
        bare = BarePeer(network)
        await bare.open(endpoint.address, 7, capability_byte=FULL_SUPPORT_BYTE, surbs=2)
        refusal, _ = await bare.receive()
        assert refusal.message_type is MessageType.RESET
