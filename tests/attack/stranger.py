"""A modified client in a process of its own: sends what it likes, and reads nothing.

``python -m tests.attack.stranger ENV_FILE ADDRESS ATTACK COUNT PACKETS_PER_SECOND`` says when it is
connected, attacks, and ends. It sends to a localnet alone, in `bare`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import anyio

from nymproxy import NetworkDetails, NymAddress
from nymproxy.errors import ResetCode, UsageError
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.mixnet.traffic import profile_of
from nymproxy.stream.codec import MessageType, StreamFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.machine import ClientMachine
    from nymproxy.mixnet.messages import ReplySurb

CAPABILITIES = 0xA3
FRAME_BYTES = 60_000
MAX_SURBS = 65_535
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


def downloads_that_die(count: int) -> Messages:
    """Each wants a long answer, gives SURBs for its beginning, and is never heard of again."""
    for number in range(1, count + 1):
        yield frames_of(number, b"long"), 6


def thousands_of_surbs(count: int) -> Messages:
    """Each gives a thousand SURBs with a stream that says nothing."""
    for number in range(1, count + 1):
        yield frames_of(number), 1_000


def messages_of_surbs(count: int) -> Messages:
    """Each gives as many SURBs as can be counted, in one message of 30 MB."""
    for number in range(1, count + 1):
        yield frames_of(number), MAX_SURBS


def pings(count: int) -> Messages:
    """One pings, with SURBs for all answers."""
    opening, *_ = frames_of(1)
    every = (StreamFrame(1, MessageType.PING, number, b"", CAPABILITIES) for number in range(count))
    yield [opening, *every], 3


ATTACKS: dict[str, Callable[[int], Messages]] = {
    each.__name__: each
    for each in (
        answers_that_wait,
        downloads_that_die,
        silent_opens,
        opens_and_resets,
        bytes_that_nobody_reads,
        thousands_of_surbs,
        messages_of_surbs,
        pings,
    )
}


def repeat_surbs(client: MessageClient) -> None:
    """Have a client make one SURB of many: whoever gets them does not use any."""
    composer = client._machine._composer
    make = composer.make_surbs

    def make_one(topology: Topology, to: NymAddress, count: int, now: float) -> list[ReplySurb]:
        return make(topology, to, 1, now) * count

    composer.make_surbs = make_one  # type: ignore[method-assign]


def fall_silent(machine: ClientMachine) -> None:
    """Have a client give no SURBs when it is asked for more, as if it had died."""
    machine._answers.requested = lambda *_: None  # type: ignore[method-assign]


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
    # In the largest packets: what they carry is to cost the server, and not the network.
    profile = replace(profile_of("bare"), primary_packet_size=PacketSize.EXTENDED32)
    is_large = name in (thousands_of_surbs.__name__, messages_of_surbs.__name__)
    async with await MessageClient.connect(
        network, profile=profile if is_large else "bare"
    ) as client:
        if is_large:
            repeat_surbs(client)
        if name == downloads_that_die.__name__:
            fall_silent(client._machine)
        print(json.dumps({"address": str(client.address)}), flush=True)
        to = NymAddress.parse(address)
        await attack(client, to, ATTACKS[name](int(count)), float(rate))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
