"""A modified client in a process of its own: sends what it likes, and reads nothing.

``python -m tests.attack.stranger ENV_FILE ADDRESS ATTACK COUNT PACKETS_PER_SECOND`` says when it is
connected, attacks, and ends. It sends to a localnet alone, in `bare`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TypeAlias

import anyio

from nymproxy import NetworkDetails, NymAddress
from nymproxy.errors import ResetCode, UsageError
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.stream.codec import MessageType, StreamFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CAPABILITIES = 0xA3
FRAME_BYTES = 60_000
UNREAD_FRAMES = 17
"""Of one channel: a megabyte."""

Messages: TypeAlias = "Iterator[tuple[list[StreamFrame], int]]"
"""What strangers send: each frames of his, and how many SURBs come with them."""


def frames_of(number: int, *payloads: bytes) -> list[StreamFrame]:
    """An Open, and data behind it."""
    opening = StreamFrame(number, MessageType.OPEN, 0, b"", CAPABILITIES)
    data = (
        StreamFrame(number, MessageType.DATA, sequence, payload, CAPABILITIES)
        for sequence, payload in enumerate(payloads)
    )
    return [opening, *data]


def answers_that_wait(count: int) -> Messages:
    """Each wants a long answer, and gives no SURB for it."""
    for number in range(1, count + 1):
        yield frames_of(number, b"long"), 0


def silent_opens(count: int) -> Messages:
    """Each opens a stream and says nothing."""
    for number in range(1, count + 1):
        yield frames_of(number), 0


def opens_and_resets(count: int) -> Messages:
    """Each takes back at once what he has opened."""
    for number in range(1, count + 1):
        code = ResetCode.CANCELLED.to_bytes(4, "big")
        reset = StreamFrame(number, MessageType.RESET, 0, code, CAPABILITIES)
        yield [*frames_of(number), reset], 0


def bytes_that_nobody_reads(count: int) -> Messages:
    """Each sends a megabyte to an upstream that does not read."""
    for number in range(1, count + 1):
        yield frames_of(number, b"stop", *[bytes(FRAME_BYTES)] * UNREAD_FRAMES), 5


ATTACKS: dict[str, Callable[[int], Messages]] = {
    each.__name__: each
    for each in (answers_that_wait, silent_opens, opens_and_resets, bytes_that_nobody_reads)
}


async def attack(
    client: MessageClient, to: NymAddress, messages: Messages, packets_per_second: float
) -> int:
    """Send everything, each stranger's under a tag of its own; returns the number of packets."""
    began, packets = anyio.current_time(), 0
    for frames, surbs in messages:
        client._machine._tags._tags.clear()
        for frame in frames:
            delivery = await client.send(to, frame.encode(), surbs=surbs)
            packets += delivery.packet_count
            await anyio.sleep_until(began + packets / packets_per_second)
    await delivery.sent()
    return packets


async def main(arguments: list[str]) -> None:
    env_file, address, name, count, rate = arguments
    network = NetworkDetails.from_env_file(env_file)
    if not network.is_localnet:
        raise UsageError("attacks are for localnets")
    async with await MessageClient.connect(network, profile="bare") as client:
        print(json.dumps({"address": str(client.address)}), flush=True)
        to = NymAddress.parse(address)
        await attack(client, to, ATTACKS[name](int(count)), float(rate))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
