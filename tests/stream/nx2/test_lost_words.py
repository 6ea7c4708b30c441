"""What one end said last is lost behind its acknowledgement: the other hears of it all the same.

A RESET is said once. Whether the stream that it was for goes on is asked beside streams that are
quiet, and beside those that are busy: what is heard of one says nothing of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.testing import MemoryFaults, MemoryMessage, MessageFate, MessageKind
from tests.stream.nx2.test_over_memory import SEALED, Ends, ends
from tests.stream.support import on_virtual_time, with_rules

if TYPE_CHECKING:
    from nymproxy.stream.stream import MixnetStream

HEARD_SECONDS = 60.0
GONE_SECONDS = 150.0
IDLE_SECONDS = 300.0


def frame_of(message: MemoryMessage) -> StreamFrame | None:
    is_frame = message.kind in (MessageKind.MESSAGE, MessageKind.REPLY)
    return StreamFrame.decode(message.payload) if is_frame else None


def losing_the_first(message_type: MessageType) -> MemoryFaults:
    """The gateway acknowledges the first message of that type, and loses it."""
    is_lost = False

    def choose(message: MemoryMessage) -> MessageFate:
        nonlocal is_lost
        frame = frame_of(message)
        if is_lost or frame is None or frame.message_type is not message_type:
            return MessageFate.DELIVER
        is_lost = True
        return MessageFate.VANISH

    return MemoryFaults(delay_seconds=0.05, choose_fate=choose)


async def both_ends(pair: Ends) -> tuple[MixnetStream, MixnetStream]:
    """A stream that has carried a byte."""
    dialed = await pair.dialer.open_stream(pair.acceptor.address)
    await dialed.send(b"x")
    accepted = await pair.listener.accept()
    assert await accepted.receive() == b"x"
    return dialed, accepted


async def chat(dialed: MixnetStream, accepted: MixnetStream) -> None:
    """Let bytes go through for ever."""
    while True:
        await dialed.send(b"x")
        await accepted.receive()
        await anyio.sleep(5)


@pytest.mark.parametrize("neighbour", ["quiet", "busy"])
@pytest.mark.parametrize("who", ["dialer", "acceptor"])
def test_an_abort_is_heard_though_the_gateway_loses_what_tells_it(who: str, neighbour: str) -> None:
    async def main() -> None:
        async with ends(SEALED, SEALED) as pair, anyio.create_task_group() as tasks:
            aborting, waiting = await both_ends(pair)
            if who == "acceptor":
                aborting, waiting = waiting, aborting
            others = await both_ends(pair)
            await anyio.sleep(5)
            if neighbour == "busy":
                tasks.start_soon(chat, *others)
            pair.network.faults = losing_the_first(MessageType.RESET)
            aborting.abort()
            with anyio.fail_after(HEARD_SECONDS), pytest.raises(anyio.BrokenResourceError):
                await waiting.receive()
            assert all(each.error is None for each in others)
            tasks.cancel_scope.cancel()

    on_virtual_time(main)


def test_an_abort_before_the_accept_is_noticed_though_the_gateway_loses_what_tells_it() -> None:
    """The dialer has no keys by which it could answer for it later."""

    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            others = await both_ends(pair)
            await anyio.sleep(5)
            pair.network.faults = losing_the_first(MessageType.RESET)
            aborting = await pair.dialer.open_stream(pair.acceptor.address)
            aborting.abort()
            waiting = await pair.listener.accept()
            with anyio.fail_after(GONE_SECONDS), pytest.raises(anyio.BrokenResourceError):
                await waiting.receive()
            assert all(each.error is None for each in others)

    on_virtual_time(main)


def test_an_end_is_not_acknowledged_by_who_has_aborted() -> None:
    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            aborting, waiting = await both_ends(pair)
            await anyio.sleep(5)
            pair.network.faults = losing_the_first(MessageType.RESET)
            aborting.abort()
            await anyio.sleep(1)
            await waiting.send_eof()
            with anyio.fail_after(HEARD_SECONDS), pytest.raises(anyio.BrokenResourceError):
                await waiting.drain()

    on_virtual_time(main)


def test_who_has_closed_tells_a_peer_that_has_not_and_waits() -> None:
    """Its end was acknowledged: nothing of it was missing, and nothing would ever come."""

    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            dialed, accepted = await both_ends(pair)
            others = await both_ends(pair)
            await dialed.aclose()
            with pytest.raises(anyio.EndOfStream):
                await accepted.receive()
            with anyio.fail_after(HEARD_SECONDS):
                await accepted.wait_closed()
            assert all(each.error is None for each in others)

    on_virtual_time(main)


def test_an_idle_stream_beside_a_busy_one_stays() -> None:
    """Both ends took so long without a word for its end, since nobody asked for it."""
    options = with_rules(idle_timeout_seconds=IDLE_SECONDS)

    async def main() -> None:
        async with ends(options, options) as pair, anyio.create_task_group() as tasks:
            dialed, accepted = await both_ends(pair)
            tasks.start_soon(chat, *await both_ends(pair))
            await anyio.sleep(2 * IDLE_SECONDS)
            await accepted.send(b"still there")
            assert await dialed.receive() == b"still there"
            tasks.cancel_scope.cancel()

    on_virtual_time(main)
