"""A 6: a message with 65,535 SURBs does not block whoever receives it."""

from __future__ import annotations

import time

from nymproxy.mixnet.messages import (
    RepliableKind,
    RepliableMessage,
    encode_message,
    split_message,
)
from nymproxy.mixnet.sphinx import PacketSize
from tests.attack.figures import AttackFigures
from tests.machine.driver import Stage, meet

SURBS = 65_535
LONGEST_STEP_SECONDS = 0.25


def test_one_message_with_as_many_surbs_as_can_be_counted(attack_figures: AttackFigures) -> None:
    # What happens to the process in that very step, a collection of garbage say, is not in both.
    longest = min(longest_step(figures) for figures in (attack_figures, AttackFigures()))
    attack_figures.notes["longest step"] = f"{longest * 1000:.0f} ms of CPU"
    assert longest < LONGEST_STEP_SECONDS


def longest_step(attack_figures: AttackFigures) -> float:
    """Attack a server; return the seconds of CPU that the packet took which took most."""
    stage = Stage()
    client, server, tag = meet(stage, 20)
    surb = client.maker.create_surb(client.maker.topology)
    encoded = surb.to_bytes()
    content = b"".join(
        (
            encode_message(RepliableMessage(tag, RepliableKind.DATA, (surb,)))[:18],
            SURBS.to_bytes(2, "big"),
            bytes((surb.hops, surb.rotation)),
            encoded * SURBS,
            b"data",
        )
    )
    pieces = split_message(
        content, PacketSize.REGULAR, lambda count: stage.mixnet.random.randbytes(count)
    )
    pushed = [bytes(32) + piece.to_bytes() for piece in pieces]
    del pieces, content
    attack_figures.clock = time.thread_time

    def exchange() -> None:
        with attack_figures.honest():
            client.send(server, b"question", lane=1)
            server.hear(client.leave())
            assert server.payloads() == [b"question"]

    exchange()
    longest = 0.0
    with attack_figures.attack(f"{len(pushed)} packets, {SURBS} SURBs"):
        for number, each in enumerate(pushed):
            began = time.thread_time()
            server.machine.frame_arrived(each, stage.now)
            longest = max(longest, time.thread_time() - began)
            if number % 2000 == 0:
                exchange()
    assert server.payloads() == [b"data"]
    exchange()
    attack_figures.check(memory_limit_bytes=160 << 20, slack_seconds=0.01)
    assert server.outbox.replies.held(tag) == 1_000
    return longest
