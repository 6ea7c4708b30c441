"""The async channel: what its methods do, raise, and wake, on asyncio and trio."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.address import SenderTag
from nymproxy.errors import (
    ClientDisconnected,
    PhaseTimeout,
    ResetCode,
    StreamDataLost,
    StreamError,
    StreamIdleTimeout,
    StreamReset,
)
from nymproxy.stream.traits import StreamOptions
from nymproxy.testing import MemoryFaults, MemoryMessage, MessageFate, MessageKind
from tests.channel.async_pair import async_pair, read_to_end, run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nymproxy.channel.channel import Channel

ROUGH = MemoryFaults(
    delay_seconds=0.005,
    jitter_seconds=0.02,
    loss=0.02,
    retransmission_seconds=0.05,
    duplication=0.05,
    reordering=0.05,
    reordering_seconds=0.03,
)


async def test_bytes_arrive_in_order_and_the_end_after_them() -> None:
    payload = random.Random(1).randbytes(300_000)
    async with async_pair(ROUGH) as pair:
        dialed, accepted = await pair.connect()
        received = {}

        async def read(name: str, channel: Channel) -> None:
            received[name] = await read_to_end(channel)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, "up", accepted)
            tasks.start_soon(read, "down", dialed)
            for channel in (dialed, accepted):
                await channel.send(payload)
                await channel.send_eof()
        assert received == {"up": payload, "down": payload}
        await dialed.aclose()
        await accepted.aclose()
        with anyio.fail_after(30):
            await dialed.wait_closed()
            await accepted.wait_closed()
        assert dialed.error is None
        assert accepted.error is None


async def test_facts_of_a_channel() -> None:
    async with async_pair() as pair:
        dialed, accepted = await pair.connect()
        await dialed.wait_established(30)
        assert dialed.id == accepted.id
        assert dialed.peer == pair.acceptor.address == accepted.local_address
        assert isinstance(accepted.peer, SenderTag)
        assert (dialed.is_dialer, accepted.is_dialer) == (True, False)
        assert dialed.protocol == accepted.protocol == "stream"
        assert dialed.round_trip_seconds is not None
        assert dialed.round_trip_seconds >= 0
        assert accepted.round_trip_seconds is None
        assert dialed.reply_surbs_in_hand is None
        assert (accepted.reply_surbs_in_hand or 0) > 0
        assert not dialed.has_received_data


async def test_frames_keep_their_boundaries() -> None:
    async with async_pair(merge_delay_seconds=0.0) as pair:
        dialed, accepted = await pair.connect()
        for frame in (b"one", b"two", b"three"):
            await dialed.send(frame)
            await dialed.drain()
        assert await accepted.receive_frame() == b"one"
        assert await accepted.receive(1) == b"t"
        assert await accepted.receive_frame() == b"wo"
        assert await accepted.receive(100) == b"three"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_send_takes_any_bytes_and_keeps_no_reference(
    kind: Callable[[bytearray], bytes],
) -> None:
    async with async_pair(MemoryFaults(delay_seconds=0.01)) as pair:
        dialed, accepted = await pair.connect()
        source = bytearray(b"before")
        await dialed.send(kind(source))
        source[:] = b"after!"
        assert await accepted.receive() == b"before"


async def test_send_waits_for_room_only() -> None:
    async with async_pair(MemoryFaults(delay_seconds=0.01), send_window_bytes=64 * 1024) as pair:
        dialed, accepted = await pair.connect()
        await dialed.send(bytes(200_000))  # more than the window, less than the peer's
        total = 0
        while total < 200_000:
            total += len(await accepted.receive())
        assert total == 200_000


def test_a_reader_that_does_not_read_stops_the_writer() -> None:
    async def main() -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            sent = 0
            is_stopped = False
            while not is_stopped:
                with anyio.move_on_after(60) as waiting:
                    await dialed.send(bytes(16 * 1024))
                    sent += 16 * 1024
                is_stopped = waiting.cancelled_caught
            limit = 1024 * 1024 + 256 * 1024  # the window of the peer and our own
            assert limit - 32 * 1024 <= sent <= limit
            received = 0
            while received < sent:
                received += len(await accepted.receive())
            await dialed.send(b"goes on")

    run_in_virtual_time(main)


async def test_an_empty_send_sends_nothing() -> None:
    async with async_pair() as pair:
        dialed, _ = await pair.connect()
        await dialed.drain()
        before = len(pair.network.log)
        await dialed.send(b"")
        await dialed.drain()
        sent = [each for each in list(pair.network.log)[before:] if each.sender == "dialer"]
        assert sent == []


class TestAfterTheEnd:
    async def test_send_after_send_eof(self) -> None:
        async with async_pair() as pair:
            dialed, _ = await pair.connect()
            await dialed.send_eof()
            await dialed.send_eof()  # idempotent
            for payload in (b"x", b""):
                with pytest.raises(anyio.ClosedResourceError):
                    await dialed.send(payload)

    async def test_receive_after_the_peers_end(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await dialed.send(b"x")
            await dialed.send_eof()
            assert await accepted.receive() == b"x"
            for _ in range(3):
                with pytest.raises(anyio.EndOfStream):
                    await accepted.receive()
            await accepted.send(b"answer")
            assert await dialed.receive() == b"answer"

    async def test_everything_after_our_close(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await accepted.send(b"buffered")
            with anyio.fail_after(30):
                await dialed.wait_established()
            await dialed.aclose()
            await dialed.aclose()
            calls: list[Callable[[], Awaitable[object]]] = [
                lambda: dialed.send(b"x"),
                dialed.receive,
                dialed.receive_frame,
                dialed.send_eof,
                dialed.drain,
            ]
            for call in calls:
                with pytest.raises(anyio.ClosedResourceError):
                    await call()

    async def test_close_wakes_a_reader_and_a_writer(self) -> None:
        async with async_pair() as pair:
            dialed, _ = await pair.connect()
            await dialed.wait_established(30)
            raised = []

            async def expect(call: Callable[[], Awaitable[object]]) -> None:
                with pytest.raises(anyio.ClosedResourceError):
                    await call()
                raised.append(call)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(expect, dialed.receive)
                tasks.start_soon(expect, lambda: dialed.send(bytes(3_000_000)))
                await anyio.sleep(0.05)
                with anyio.move_on_after(0.2):  # the peer does not read: this cannot flush
                    await dialed.aclose()
            assert len(raised) == 2

    async def test_data_for_a_closed_channel_is_answered_by_a_reset(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            await accepted.aclose()
            await accepted.wait_closed()
            await dialed.send(b"x")
            with anyio.fail_after(30):
                await dialed.wait_closed()
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.send(b"y")
            cause = caught.value.__cause__
            assert isinstance(cause, StreamReset)
            assert cause.reset_code is ResetCode.UNKNOWN_STREAM


class TestBusy:
    async def test_one_reader_at_a_time(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(accepted.receive)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(anyio.BusyResourceError):
                    await accepted.receive()
                await dialed.send(b"x")

    async def test_one_writer_at_a_time(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(dialed.send, bytes(2_000_000))
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(anyio.BusyResourceError):
                    await dialed.send(b"x")
                with pytest.raises(anyio.BusyResourceError):
                    await dialed.send_eof()
                received = 0
                while received < 2_000_000:
                    received += len(await accepted.receive())


class TestCancellation:
    async def test_a_cancelled_receive_loses_nothing(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            with anyio.move_on_after(0.01):
                await accepted.receive()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await accepted.receive()
            await dialed.send(b"x")
            assert await accepted.receive() == b"x"

    async def test_a_cancelled_small_send_was_not_taken(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await dialed.send(b"never")
            await dialed.send(b"x")
            assert await accepted.receive() == b"x"

    async def test_a_send_cancelled_half_way_breaks_the_direction(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            with anyio.move_on_after(0.2):
                await dialed.send(bytes(10_000_000))
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.send(b"x")
            assert isinstance(caught.value.__cause__, StreamError)
            await accepted.send(b"still here")
            assert await dialed.receive() == b"still here"
            await dialed.aclose()  # and so the peer must not see an orderly end
            with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(30):
                await read_to_end(accepted)

    async def test_closing_in_a_cancelled_scope_aborts(self) -> None:
        async with async_pair(MemoryFaults(delay_seconds=0.02)) as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            await dialed.send(bytes(250_000))
            with anyio.CancelScope() as scope:
                scope.cancel()
                await dialed.aclose()
                raise AssertionError("no checkpoint")
            with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(30):
                await read_to_end(accepted)
            assert isinstance(accepted.error, StreamReset)


class TestFailures:
    async def test_an_abort_fails_both_ends(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            accepted.abort(ResetCode.PROTOCOL_ERROR, "nonsense")
            for channel in (dialed, accepted):
                with pytest.raises(anyio.BrokenResourceError) as caught, anyio.fail_after(30):
                    await channel.receive()
                assert isinstance(caught.value.__cause__, StreamReset)
                assert caught.value.__cause__.reset_code is ResetCode.PROTOCOL_ERROR
                with pytest.raises(anyio.BrokenResourceError):
                    await channel.send(b"x")
                await channel.aclose()
                await channel.wait_closed()

    @pytest.mark.parametrize("side", ["dialer", "acceptor"])
    async def test_the_end_of_the_client_wakes_everybody(self, side: str) -> None:
        async with async_pair() as pair:
            channels = dict(zip(("dialer", "acceptor"), await pair.connect(), strict=True))
            channel = channels[side]
            await channel.wait_established(30)
            errors: list[BaseException | None] = []

            async def expect(call: Callable[[], Awaitable[object]]) -> None:
                with pytest.raises(anyio.BrokenResourceError) as caught:
                    await call()
                errors.append(caught.value.__cause__)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(expect, channel.receive)
                tasks.start_soon(expect, lambda: channel.send(bytes(10_000_000)))
                tasks.start_soon(channel.wait_closed)
                await anyio.sleep(0.05)
                await (pair.dialer if side == "dialer" else pair.acceptor).aclose()
            assert [type(error) for error in errors] == [ClientDisconnected] * 2

    async def test_a_message_given_up_is_data_lost_on_both_sides(self) -> None:
        def fate(message: MemoryMessage) -> MessageFate:
            is_third = message.kind is MessageKind.MESSAGE and message.payload.endswith(b"third")
            return MessageFate.ABANDON if is_third else MessageFate.DELIVER

        faults = MemoryFaults(choose_fate=fate, retransmission_seconds=0.01, max_retransmissions=2)
        async with async_pair(faults) as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            for frame in (b"first", b"second"):
                await dialed.send(frame)
                await dialed.drain()
            await dialed.send(b"third")
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.drain()
            assert isinstance(caught.value.__cause__, StreamDataLost)
            with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(30):
                await read_to_end(accepted)
            assert isinstance(accepted.error, StreamReset)
            assert accepted.error.reset_code is ResetCode.DATA_LOST

    def test_an_idle_channel_fails_after_its_limit(self) -> None:
        async def main() -> None:
            async with async_pair() as pair:
                dialed, accepted = await pair.connect()
                start = anyio.current_time()
                with pytest.raises(anyio.BrokenResourceError) as caught:
                    await accepted.receive()
                assert isinstance(caught.value.__cause__, StreamIdleTimeout)
                assert anyio.current_time() - start == pytest.approx(1800, abs=1)
                await dialed.wait_closed()

        run_in_virtual_time(main)

    def test_a_gap_that_stays_open_is_an_error(self) -> None:
        def fate(message: MemoryMessage) -> MessageFate:
            is_first = message.payload.endswith(b"lost at the gateway")
            return MessageFate.VANISH if is_first else MessageFate.DELIVER

        async def main() -> None:
            async with async_pair(MemoryFaults(choose_fate=fate)) as pair:
                dialed, accepted = await pair.connect()
                await dialed.send(b"good")
                await dialed.drain()
                await dialed.send(b"lost at the gateway")
                await dialed.drain()  # its gateway said that it has it
                await dialed.send(b"behind the gap")
                assert await accepted.receive() == b"good"
                start = anyio.current_time()
                with pytest.raises(anyio.BrokenResourceError) as caught:
                    await accepted.receive()
                assert isinstance(caught.value.__cause__, StreamDataLost)
                assert anyio.current_time() - start == pytest.approx(120, abs=1)

        run_in_virtual_time(main)


class TestClosing:
    async def test_close_flushes_what_was_sent(self) -> None:
        payload = random.Random(2).randbytes(200_000)
        async with async_pair(ROUGH) as pair:
            dialed, accepted = await pair.connect()
            async with anyio.create_task_group() as tasks:

                async def send_and_close() -> None:
                    await dialed.send(payload)
                    await dialed.aclose()

                tasks.start_soon(send_and_close)
                assert await read_to_end(accepted) == payload

    def test_close_gives_up_after_ten_seconds(self) -> None:
        async def main() -> None:
            async with async_pair() as pair:
                dialed, _ = await pair.connect()
                await dialed.wait_established(30)
                await dialed.send(b"x")
                await dialed.drain()
                pair.dialer.disconnect()
                await dialed.send(b"y")
                start = anyio.current_time()
                await dialed.aclose()
                assert anyio.current_time() - start == pytest.approx(10, abs=0.1)
                assert isinstance(dialed.error, StreamReset)

        run_in_virtual_time(main)

    async def test_a_peer_without_the_extension_sees_the_end_too(self) -> None:
        async with async_pair(options=StreamOptions(extensions=False)) as pair:
            dialed, accepted = await pair.connect()
            await dialed.send(b"x")
            await dialed.aclose()
            assert await read_to_end(accepted) == b"x"
            await accepted.aclose()
            await accepted.wait_closed()

    async def test_drain_waits_for_the_acknowledgement(self) -> None:
        async with async_pair(MemoryFaults(delay_seconds=0.05)) as pair:
            dialed, _ = await pair.connect()
            await dialed.send(b"x")
            start = anyio.current_time()
            await dialed.drain()
            assert anyio.current_time() - start >= 0.05


class TestEstablishing:
    async def test_hello_establishes(self) -> None:
        async with async_pair() as pair:
            channel = await pair.dialing.open(
                pair.protocol, pair.acceptor.address, wait=True, timeout=30
            )
            assert channel.is_established

    async def test_without_an_answer_it_times_out(self) -> None:
        async with async_pair() as pair:
            nobody = pair.network.endpoint("nobody")
            with pytest.raises(PhaseTimeout):
                await pair.dialing.open(pair.protocol, nobody.address, wait=True, timeout=0.05)
            channel = await pair.dialing.open(pair.protocol, nobody.address)
            with pytest.raises(PhaseTimeout):
                await channel.wait_established(0.05)
            assert not channel.is_established
