"""What streams cost, with the defects S10 and S11 of nym-sdk 1.21.6."""

from __future__ import annotations

from dataclasses import replace

import anyio

from nymproxy.stream.codec import MessageType
from nymproxy.testing import (
    MessageKind,
)
from tests.stream.support import (
    NX1,
    connected_pair,
    on_virtual_time,
    receive_exactly,
    with_rules,
)

KIB = 1024


# S10, S11: the cost of a stream.


async def test_s10_the_open_carries_surbs_for_a_first_answer_without_request() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect()
        await accepted.send(b"x" * 8 * KIB)
        assert len(await receive_exactly(dialed, 8 * KIB)) == 8 * KIB
        opened = pair.network.messages(MessageKind.MESSAGE)[0]
        assert opened.surbs == 17  # 3 more go with the first data, which never come here
        replies = pair.network.messages(MessageKind.REPLY)
        assert replies[0].packet_count + replies[1].packet_count <= 10
        assert pair.network.messages(MessageKind.SURB_REQUEST) == []


async def test_s10_the_number_of_surbs_can_be_chosen() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect(reply_surbs=33)
        await dialed.send(b"request")
        assert await receive_exactly(accepted, 7) == b"request"
        messages = pair.network.messages(MessageKind.MESSAGE)
        assert [message.surbs for message in messages if message.surbs] == [30, 3]


async def test_s10_data_replaces_what_the_peer_has_used_and_no_more() -> None:
    async with connected_pair(options=NX1) as pair:
        dialed, accepted = await pair.connect(wait=True)
        for _ in range(10):
            await dialed.send(b"ping")
            await receive_exactly(accepted, 4)
            await accepted.send(b"pong")
            await receive_exactly(dialed, 4)
        data = pair.network.messages(MessageKind.MESSAGE)[1:]
        assert len(data) == 10
        assert all(message.surbs <= 10 for message in data)
        assert sum(message.surbs for message in data) <= 2 * 10 + 2
        assert pair.network.messages(MessageKind.SURB_REQUEST) == []


async def test_s10_an_upload_carries_hardly_any_surbs() -> None:
    async with connected_pair() as pair:
        dialed, accepted = await pair.connect(wait=True)
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(receive_exactly, accepted, 512 * KIB)
            await dialed.send(bytes(512 * KIB))
        data = pair.network.messages(MessageKind.MESSAGE)[1:]
        assert sum(message.surbs for message in data) <= 10


def test_s10_small_writes_are_merged() -> None:
    async def main() -> None:
        async with connected_pair() as pair:
            dialed, accepted = await pair.connect(wait=True)
            for _ in range(1000):
                await dialed.send(b"ten bytes.")
            assert await receive_exactly(accepted, 10_000) == b"ten bytes." * 1000
            data = [frame for frame in pair.frames() if frame.message_type == MessageType.DATA]
            assert len(data) < 100

    on_virtual_time(main)  # a slow machine writes less in the time that writes are merged in


async def test_s10_merging_can_be_switched_off() -> None:
    options = replace(with_rules(merge_delay_seconds=0), seals=False)  # a SEAL takes one along
    async with connected_pair(options=options) as pair:
        dialed, accepted = await pair.connect(wait=True)
        for _ in range(5):
            await dialed.send(b"frame")
            await dialed.drain()
        assert await receive_exactly(accepted, 25) == b"frame" * 5
        data = [frame for frame in pair.frames() if frame.message_type == MessageType.DATA]
        assert len(data) == 5


async def test_s11_a_large_write_is_split() -> None:
    async with connected_pair(options=NX1) as pair:
        dialed, accepted = await pair.connect(wait=True)
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(receive_exactly, accepted, 300_000)
            await dialed.send(bytes(300_000))
        sizes = [len(frame.payload) for frame in pair.frames()]
        assert max(sizes) == 32 * KIB
