"""A peer with the keys of its stream says the largest there is: anybody can open one and do so."""

from __future__ import annotations

import time
from itertools import product

import pytest

from nymproxy.address import SenderTag
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.nx2.envelopes import CAPABILITY_BYTE
from nymproxy.stream.nx2.frames import Ack
from tests.stream.nx2.builders import ADDRESS
from tests.stream.nx2.test_links import SENDER, End, Pair

NUMBERS = (0, 1, 512, 2**31, 2**32 - 2, 2**32 - 1)
LIMITS = (0, 2**32 - 1, 2**64 - 1)
PLAIN_TYPES = (
    MessageType.DATA,
    MessageType.FIN,
    MessageType.PROBE,
    MessageType.WINDOW,
    MessageType.PING,
    MessageType.PONG,
    MessageType.HELLO,
    MessageType.OPEN_ACK,
)
LONGEST_STEP_SECONDS = 0.25
ELSEWHERE = SenderTag(b"elsewhere.......")


def acks(number: int, limit: int) -> list[Ack]:
    """All that it may say of what has come: nothing, everything at once, and sixteen pieces."""
    first = min(number + 2, 2**32 - 200)
    pieces = tuple((first + 4 * each, first + 4 * each + 1) for each in range(16))
    echo = min(limit, 2**32 - 1)
    whole = ((min(number + 2, 2**32 - 1), 2**32 - 1),)
    return [Ack(number, 0, echo, limit, ranges) for ranges in ((), whole, pieces)]


def take(end: End, frame: bytes, tag: SenderTag | None) -> None:
    """Deliver a frame and let time pass; nothing takes long, and no machine fails by itself."""
    began = time.thread_time()
    end.take(frame, tag)
    for _ in range(3):
        end.send()
        end.pass_time(5.0)
    assert time.thread_time() - began < LONGEST_STEP_SECONDS
    assert all(0 <= link.memory_bytes < 1 << 20 for link in end.table.links.values())


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("by_dialer", [True, False])
@pytest.mark.parametrize(("number", "limit"), list(product(NUMBERS, LIMITS)))
def test_the_largest_there_is(number: int, limit: int, by_dialer: bool, is_known: bool) -> None:
    pair = Pair(is_known=is_known)
    pair.settle()
    hostile, other = (pair.dialer, pair.acceptor)[:: 1 if by_dialer else -1]
    tag = SENDER if by_dialer else None
    other.machine.app_wrote(bytes(200_000))
    other.send()
    sealer, stream_id = hostile.link.sealer, int(hostile.machine.channel_id)  # type: ignore[attr-defined]
    for ack in acks(number, limit):
        take(other, sealer.ack(ack), tag)
    for message_type in PLAIN_TYPES:
        payload = limit.to_bytes(8, "big") if message_type is MessageType.WINDOW else b""
        frame = StreamFrame(stream_id, message_type, number, payload, CAPABILITY_BYTE)
        take(other, sealer.seal(frame.encode(), 0), tag)
    if by_dialer:
        for ack in acks(0, limit):
            take(other, sealer.resume(number, ack, ELSEWHERE, ADDRESS), ELSEWHERE)
            take(other, sealer.resume(number, ack, ELSEWHERE, ADDRESS), ELSEWHERE)
