"""A 4: what peers make a process keep stays below one limit, and who holds most loses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from nymproxy.address import SenderTag
from nymproxy.channel.mux import ChannelMux
from nymproxy.errors import NymError
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.messages import (
    RepliableKind,
    RepliableMessage,
    encode_message,
    split_message,
)
from nymproxy.mixnet.messages.reply_surbs import encode_surbs
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.testing import MemoryNetwork
from tests.machine.driver import Stage, exchange, meet

if TYPE_CHECKING:
    from nymproxy.channel.channel import Channel
    from nymproxy.testing import MemoryEndpoint
    from tests.attack.figures import AttackFigures

LIMIT_BYTES = 16 << 20
TAGS = 300
SURBS = 1_000
CHANNELS = 32
FRAMES = 70
FRAME_BYTES = 60_000
CAPABILITIES = 0xA3


def test_surbs_of_many_tags(attack_figures: AttackFigures) -> None:
    """100,000 cost 105 MiB, and there was no limit below 10 GiB."""
    stage = Stage()
    client, server, tag = meet(stage, 50, memory=MemoryAccount(LIMIT_BYTES))
    surb = client.maker.create_surb(client.maker.topology)
    start = encode_message(RepliableMessage(tag, RepliableKind.DATA, (), b""))[:18]
    bundle = encode_surbs([surb])
    bundle = SURBS.to_bytes(2, "big") + bundle[2:4] + bundle[4:] * SURBS
    attack_figures.clock = time.thread_time
    most = 0

    def ask() -> None:
        """One question with an answer through a SURB that the server holds."""
        with attack_figures.honest():
            client.send(server, b"question", lane=1)
            server.hear(client.leave())
            assert server.payloads() == [b"question"]
            server.send(tag, b"answer", lane=1)
            client.hear(server.leave())
            assert client.payloads() == [b"answer"]

    for _ in range(5):
        ask()
    with attack_figures.attack(f"{TAGS * SURBS} SURBs of {TAGS} tags"):
        for number in range(TAGS):
            content = start[:1] + number.to_bytes(16, "big") + start[17:] + bundle
            for piece in split_message(content, PacketSize.REGULAR, stage.mixnet.random.randbytes):
                server.machine.frame_arrived(bytes(32) + piece.to_bytes(), stage.now)
                most = max(most, server.memory.used_bytes)
            server.taken()
            if number % 20 == 0:
                ask()
    for _ in range(5):
        ask()
    exchange(client, server)
    held = server.outbox.replies.held(SenderTag((TAGS - 1).to_bytes(16, "big")))
    attack_figures.notes["most in the account"] = f"{most / (1 << 20):.1f} MiB"
    attack_figures.check(memory_limit_bytes=LIMIT_BYTES + (16 << 20), slack_seconds=0.01)
    assert most <= LIMIT_BYTES + 2 * SURBS * 1_100  # the message that passes the limit is whole
    assert held == SURBS
    assert server.memory.reclaimed_bytes > TAGS * SURBS * 1_100 - 2 * LIMIT_BYTES


async def fill(endpoint: MemoryEndpoint, server: MemoryEndpoint) -> None:
    """Open channels and send as much as one may hold, whatever the window says."""
    for channel in range(CHANNELS):
        opening = StreamFrame(1 + channel, MessageType.OPEN, 0, b"", CAPABILITIES)
        await endpoint.send(server.address, opening.encode(), surbs=5)
        for sequence in range(FRAMES):
            frame = StreamFrame(
                1 + channel, MessageType.DATA, sequence, bytes(FRAME_BYTES), CAPABILITIES
            )
            await endpoint.send(server.address, frame.encode(), lane=channel)


async def test_channels_that_nobody_reads(attack_figures: AttackFigures) -> None:
    """16 of 20 MiB took 283 MiB, and the limit was at 64 GiB."""
    memory, protocol, most = MemoryAccount(LIMIT_BYTES), StreamProtocol(), 0
    unread: list[Channel] = []

    async def serve(mux: ChannelMux) -> None:
        """Answer the first channel, and hold the others without reading."""
        acceptor = mux.listen(protocol)
        first = await acceptor.accept()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(echo, first)
            while True:
                unread.append(await acceptor.accept())

    async def echo(channel: Channel) -> None:
        while True:
            await channel.send(await channel.receive())

    async with MemoryNetwork() as network:
        server = network.endpoint("server", memory=memory)
        honest, hostile = network.endpoint("honest"), network.endpoint("hostile")
        async with (
            ChannelMux(server, [protocol], grace_seconds=0.0) as serving,
            ChannelMux(honest, [protocol], grace_seconds=0.0) as asking,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(serve, serving)
            channel = await asking.open(protocol, server.address)

            async def ask() -> None:
                nonlocal most
                with attack_figures.honest(), anyio.fail_after(60):
                    await channel.send(b"question")
                    assert await channel.receive() == b"question"
                most = max(most, memory.used_bytes)

            for _ in range(5):
                await ask()
            sent = CHANNELS * FRAMES * FRAME_BYTES >> 20
            with attack_figures.attack(f"{CHANNELS} channels, {sent} MiB that nobody reads"):
                async with anyio.create_task_group() as attackers:
                    attackers.start_soon(fill, hostile, server)
                    while memory.reclaimed_bytes < LIMIT_BYTES:
                        await ask()
                    attackers.cancel_scope.cancel()
            for _ in range(5):
                await ask()
            failed = [each for each in unread if each.error is not None]
            tasks.cancel_scope.cancel()
    attack_figures.notes["most in the account"] = f"{most / (1 << 20):.1f} MiB"
    attack_figures.notes["channels that were cut off"] = str(len(failed))
    attack_figures.check(memory_limit_bytes=4 * LIMIT_BYTES)
    assert failed
    assert all(isinstance(each.error, NymError) for each in failed)
    assert most <= LIMIT_BYTES + FRAME_BYTES * 2
