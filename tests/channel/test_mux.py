"""The multiplexer: opening, accepting, refusing, closing, and the end of the transport."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from nymproxy.address import NodeIdentity, NymAddress
from nymproxy.channel.limits import TableLimits
from nymproxy.channel.mux import ChannelMux
from nymproxy.errors import (
    ClientDisconnected,
    ListenerAlreadyTaken,
    ResetCode,
    StreamRefused,
    StreamReset,
    UnknownGateway,
    UsageError,
)
from nymproxy.mixnet.transport import TransportWrapper
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.channel.async_pair import async_pair, read_to_end, run_in_virtual_time
from tests.channel.builders import ADDRESS

if TYPE_CHECKING:
    from nymproxy.channel.channel import Channel
    from nymproxy.mixnet.transport import Delivery, MessageTransport

ELSEWHERE = NymAddress(ADDRESS.identity, ADDRESS.encryption, NodeIdentity(ADDRESS.identity))


async def refusal_of(channel: Channel) -> StreamReset:
    with pytest.raises(anyio.BrokenResourceError) as caught, anyio.fail_after(30):
        await channel.receive()
    assert isinstance(caught.value.__cause__, StreamReset)
    return caught.value.__cause__


async def echo(channel: Channel) -> None:
    await channel.send(await read_to_end(channel))
    await channel.aclose()


class SlowTransport(TransportWrapper):
    """Takes its time before it accepts a message."""

    def __init__(self, transport: MessageTransport) -> None:
        super().__init__(transport)
        self.begun = anyio.Event()

    async def send(self, *arguments: Any, **options: Any) -> Delivery:
        self.begun.set()
        await anyio.sleep(0.05)
        return await super().send(*arguments, **options)


class TestOpening:
    async def test_many_channels_at_once_do_not_mix(self) -> None:
        async with async_pair(MemoryFaults(delay_seconds=0.002, jitter_seconds=0.01)) as pair:

            async def serve() -> None:
                for _ in range(20):
                    tasks.start_soon(echo, await pair.listener.accept())

            async def ask(number: int) -> None:
                channel = await pair.dialing.open(pair.protocol, pair.acceptor.address)
                payload = random.Random(number).randbytes(10_000)
                await channel.send(payload)
                await channel.send_eof()
                assert await read_to_end(channel) == payload
                await channel.aclose()

            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(serve)
                    for number in range(20):
                        tasks.start_soon(ask, number)
            with anyio.fail_after(30):
                for channel in pair.dialing.channels + pair.accepting.channels:
                    await channel.wait_closed()

    async def test_every_channel_has_a_lane_of_its_own(self) -> None:
        async with async_pair() as pair:
            for _ in range(3):
                dialed, _ = await pair.connect()
                await dialed.send(b"x")
                await dialed.drain()
            lanes = {
                each.lane
                for each in pair.network.log
                if each.sender == "dialer" and each.payload[:1] == b"\x03"
            }
            assert len(lanes) == 3
            assert 0 not in lanes

    async def test_errors_of_the_transport_are_raised(self) -> None:
        async with async_pair() as pair:
            with pytest.raises(UnknownGateway):
                await pair.dialing.open(pair.protocol, ELSEWHERE)
            await anyio.wait_all_tasks_blocked()
            assert pair.dialing.channels == []

    async def test_a_refusal_is_raised_when_waiting(self) -> None:
        async with async_pair(backlog=0) as pair:
            with pytest.raises(StreamRefused):
                await pair.dialing.open(pair.protocol, pair.acceptor.address, wait=True, timeout=30)

    async def test_cancelling_takes_the_channel_back(self) -> None:
        async with async_pair(MemoryFaults(delay_seconds=0.05)) as pair:

            async def dial() -> None:
                await pair.dialing.open(pair.protocol, pair.acceptor.address, wait=True)

            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(dial)
                    while not pair.network.messages():  # noqa: ASYNC110
                        await anyio.sleep(0.001)
                    tasks.cancel_scope.cancel()
            with anyio.fail_after(20):  # it stays until the peer's gateway has its RESET
                while pair.dialing.channels or pair.accepting.channels:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            senders = [message.sender for message in pair.network.messages()]
            assert senders.count("dialer") == 2  # Open and RESET

    async def test_it_needs_a_running_mux(self) -> None:
        async with MemoryNetwork() as network:
            mux = ChannelMux(
                network.endpoint(), [StreamProtocol()], random_bytes=random.Random(1).randbytes
            )
            with pytest.raises(UsageError, match="enter it first"):
                await mux.open(StreamProtocol(), ADDRESS)
            await mux.aclose()


class TestAccepting:
    async def test_channels_beyond_the_backlog_are_refused(self) -> None:
        async with async_pair(backlog=1) as pair:
            first = await pair.dialing.open(pair.protocol, pair.acceptor.address)
            await first.wait_established(30)
            second = await pair.dialing.open(pair.protocol, pair.acceptor.address)
            assert isinstance(await refusal_of(second), StreamRefused)
            assert pair.accepting.counters["refused-backlog-full"] == 1
            accepted = await pair.listener.accept()
            assert accepted.id == first.id

    async def test_cancelling_accept_loses_no_channel(self) -> None:
        async with async_pair() as pair:
            with anyio.move_on_after(0.01):
                await pair.listener.accept()
            dialed, accepted = await pair.connect()
            assert dialed.id == accepted.id
            with anyio.CancelScope() as scope:
                scope.cancel()
                await pair.listener.accept()
            dialed, accepted = await pair.connect()
            assert dialed.id == accepted.id

    async def test_closing_wakes_accept_and_refuses_what_waits(self) -> None:
        async with async_pair() as pair:
            dialed = await pair.dialing.open(pair.protocol, pair.acceptor.address)
            await dialed.wait_established(30)
            await pair.listener.aclose()
            await pair.listener.aclose()
            with pytest.raises(anyio.ClosedResourceError):
                await pair.listener.accept()
            assert isinstance(await refusal_of(dialed), StreamRefused)
            later = await pair.dialing.open(pair.protocol, pair.acceptor.address)
            assert isinstance(await refusal_of(later), StreamRefused)

    async def test_a_blocked_accept_is_woken_by_closing(self) -> None:
        async with async_pair() as pair, anyio.create_task_group() as tasks:

            async def expect() -> None:
                with pytest.raises(anyio.ClosedResourceError):
                    await pair.listener.accept()

            tasks.start_soon(expect)
            await anyio.wait_all_tasks_blocked()
            await pair.listener.aclose()

    async def test_a_blocked_accept_is_woken_by_the_end_of_the_client(self) -> None:
        async with async_pair() as pair, anyio.create_task_group() as tasks:

            async def expect() -> None:
                with pytest.raises(anyio.BrokenResourceError) as caught:
                    await pair.listener.accept()
                assert isinstance(caught.value.__cause__, ClientDisconnected)

            tasks.start_soon(expect)
            await anyio.wait_all_tasks_blocked()
            await pair.acceptor.aclose()

    async def test_there_is_one_listener_for_each_protocol(self) -> None:
        async with async_pair() as pair:
            with pytest.raises(ListenerAlreadyTaken):
                pair.accepting.listen(pair.protocol)

    def test_an_open_waits_five_seconds_for_a_listener(self) -> None:
        async def main() -> None:
            async with async_pair() as pair:
                # The dialer has no listener: open towards it.
                early = await pair.accepting.open(pair.protocol, pair.dialer.address)
                await early.send(b"early")
                await anyio.sleep(4)
                listener = pair.dialing.listen(pair.protocol)
                accepted = await listener.accept()
                assert accepted.id == early.id
                assert await accepted.receive() == b"early"

        run_in_virtual_time(main)

    def test_without_a_listener_it_is_refused_after_five(self) -> None:
        async def main() -> None:
            async with async_pair() as pair:
                start = anyio.current_time()
                early = await pair.accepting.open(pair.protocol, pair.dialer.address)
                assert isinstance(await refusal_of(early), StreamRefused)
                assert anyio.current_time() - start == pytest.approx(5, abs=0.1)
                assert pair.dialing.counters["refused-unclaimed"] == 1

        run_in_virtual_time(main)

    async def test_messages_that_are_no_frames_are_counted(self) -> None:
        async with async_pair() as pair:
            stranger = pair.network.endpoint("stranger")
            await stranger.send(pair.acceptor.address, b"\x03\x00garbage", surbs=5)
            await stranger.send(pair.acceptor.address, b"something else", surbs=5)
            unknown = StreamFrame(1, MessageType.PING).encode()
            await stranger.send(pair.acceptor.address, unknown, surbs=5)
            with anyio.fail_after(30):
                while pair.accepting.counters.total() < 3:  # noqa: ASYNC110, they have no event
                    await anyio.sleep(0.01)
            assert pair.accepting.counters == {
                "malformed": 1,
                "other-protocol": 1,
                "control-without-channel": 1,
            }
            await pair.connect()  # and everything goes on

    async def test_too_many_channels_are_refused(self) -> None:
        async with async_pair(limits=TableLimits(channels=2)) as pair:
            await pair.connect()
            await pair.connect()
            extra = await pair.dialing.open(replace(pair.protocol), pair.acceptor.address)
            assert isinstance(await refusal_of(extra), StreamRefused)


class TestClosing:
    async def test_close_flushes_and_ends_every_channel(self) -> None:
        payload = random.Random(3).randbytes(200_000)
        async with async_pair(MemoryFaults(delay_seconds=0.01)) as pair:
            dialed, accepted = await pair.connect()
            await dialed.send(payload)
            received = []

            async def read() -> None:
                received.append(await read_to_end(accepted))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await pair.dialing.aclose()
            assert received == [payload]
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.receive()
            assert isinstance(caught.value.__cause__, ClientDisconnected)
            with pytest.raises(ClientDisconnected):
                await pair.dialing.open(pair.protocol, pair.acceptor.address)
            with pytest.raises(ClientDisconnected):
                pair.dialing.listen(pair.protocol)
            await pair.dialing.aclose()

    async def test_what_cannot_be_flushed_in_time_is_reset(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            with anyio.move_on_after(0.05):
                await dialed.send(bytes(5_000_000))  # more than the reader's window
            await pair.dialing.aclose(grace_seconds=0.05)
            with anyio.fail_after(30):
                await accepted.wait_closed()
            assert isinstance(accepted.error, StreamReset)

    async def test_no_grace_resets_at_once(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            await pair.dialing.aclose(grace_seconds=0)
            with anyio.fail_after(30):
                await accepted.wait_closed()
            assert isinstance(accepted.error, StreamReset)
            assert accepted.error.reset_code is ResetCode.SHUTTING_DOWN

    async def test_cancelling_the_block_fails_the_channels(self) -> None:
        async with MemoryNetwork() as network:
            protocol = StreamProtocol()
            source = random.Random(1)
            mux = ChannelMux(network.endpoint(), [protocol], random_bytes=source.randbytes)
            with anyio.CancelScope() as scope:
                async with mux:
                    channel = await mux.open(protocol, network.endpoint("other").address)
                    scope.cancel()
                    await anyio.sleep_forever()
            assert isinstance(channel.error, ClientDisconnected)
            assert mux.error is channel.error

    async def test_a_channel_is_one_object_with_one_guard(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            assert pair.dialing.channels == [dialed]
            assert pair.accepting.channels == [accepted]
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(dialed.receive)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(anyio.BusyResourceError):
                    await pair.dialing.channels[0].receive()
                tasks.cancel_scope.cancel()

    async def test_leaving_waits_for_what_was_said_outside_of_any_channel(self) -> None:
        """Else a client that is closed next takes the refusal with it, and its peer waits."""
        protocol = StreamProtocol()
        async with MemoryNetwork() as network:
            acceptor = SlowTransport(network.endpoint("acceptor"))
            async with ChannelMux(network.endpoint("dialer"), [protocol]) as dialing:
                async with ChannelMux(acceptor, [protocol]) as accepting:
                    await accepting.listen(protocol).aclose()
                    channel = await dialing.open(protocol, acceptor.address)
                    await acceptor.begun.wait()
                await acceptor.aclose()
                assert isinstance(await refusal_of(channel), StreamRefused)

    def test_nothing_is_left_of_a_channel_that_is_over(self) -> None:
        async def main() -> None:
            async with async_pair() as pair:
                for _ in range(50):
                    dialed, accepted = await pair.connect()
                    await dialed.aclose()
                    await accepted.aclose()
                    await dialed.wait_closed()
                    await accepted.wait_closed()
                await anyio.wait_all_tasks_blocked()
                for mux in (pair.dialing, pair.accepting):
                    assert mux.channels == []
                    assert len(mux._drivers._timers) == 0

        run_in_virtual_time(main)


class TestAbort:
    async def test_what_waits_in_the_lane_is_dropped(self) -> None:
        async with async_pair() as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            pair.dialer.disconnect()
            await dialed.send(bytes(200_000))
            await anyio.wait_all_tasks_blocked()
            dialed.abort(ResetCode.CANCELLED)
            await anyio.wait_all_tasks_blocked()
            pair.dialer.reconnect()
            with anyio.fail_after(30):
                await accepted.wait_closed()
            assert isinstance(accepted.error, StreamReset)
            assert not accepted.has_received_data

    async def test_an_abort_leaves_before_the_mux_has_closed(self) -> None:
        async with async_pair(MemoryFaults(delay_seconds=0.02)) as pair:
            dialed, accepted = await pair.connect()
            await dialed.wait_established(30)
            dialed.abort(ResetCode.REFUSED, "upstream closed")
            await pair.dialing.aclose()
            await pair.dialer.aclose()
            assert isinstance(await refusal_of(accepted), StreamRefused)
