"""Submission: made a few SURBs at a time, admitted in the order of asking, called off anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import DeliveryAbandoned, TopologyUnavailable
from tests.machine.driver import OPEN, HandClient, Stage, meet

if TYPE_CHECKING:
    from nymproxy.mixnet.machine import Submission

NARROW = replace(OPEN, lane_packets=1)


def began(client: HandClient, surbs: int) -> Submission:
    return client.machine.submit(client.address, b"x", surbs=surbs, lane=0, now=client.stage.now)


class TestMaking:
    def test_without_surbs_it_is_made_at_once(self) -> None:
        submission = began(Stage().client("alice"), 0)
        assert submission.is_made
        assert submission.is_admitted

    @pytest.mark.parametrize(("surbs", "steps"), [(1, 1), (8, 1), (9, 2), (20, 3)])
    def test_surbs_are_made_eight_at_a_time(self, surbs: int, steps: int) -> None:
        alice = Stage().client("alice")
        submission = began(alice, surbs)
        assert len(alice.reply_keys) == min(8, surbs)
        for step in range(1, steps):
            assert not submission.is_made
            alice.machine.advance(submission, alice.stage.now)
            assert len(alice.reply_keys) == min(8 * (step + 1), surbs)
        assert submission.is_made
        assert submission.message.surbs == surbs
        alice.machine.advance(submission, alice.stage.now)  # nothing is left to do
        assert len(alice.reply_keys) == surbs

    def test_surbs_that_cannot_be_made_raise(self) -> None:
        alice = Stage().client("alice")
        submission = began(alice, 20)
        alice.maker.error = TopologyUnavailable("none")
        with pytest.raises(TopologyUnavailable):
            alice.machine.advance(submission, alice.stage.now)
        submission.call_off()
        assert alice.outbox.lane_room.total == 0


class TestSettling:
    def test_it_is_told_once_when_it_is_in_the_outbox(self) -> None:
        alice = Stage().client("alice", NARROW)
        alice.send(alice)
        waiting, told = alice.send(alice), []
        waiting.on_settled = lambda: told.append(waiting.is_admitted)
        alice.leave()
        waiting.fail(DeliveryAbandoned("too late"))
        assert told == [True]
        assert waiting.error is None

    def test_it_is_told_once_when_it_fails(self) -> None:
        alice = Stage().client("alice", NARROW)
        alice.send(alice)
        waiting, told = alice.send(alice), []
        waiting.on_settled = lambda: told.append(waiting.error)
        error = DeliveryAbandoned("early")
        waiting.fail(error)
        waiting.fail(DeliveryAbandoned("again"))
        alice.leave()
        assert told == [error]


class TestCallingOff:
    def test_while_it_is_made(self) -> None:
        alice = Stage().client("alice")
        submission = began(alice, 20)
        submission.call_off()
        alice.machine.advance(submission, alice.stage.now)
        assert not submission.is_made
        assert isinstance(submission.error, DeliveryAbandoned)
        assert alice.leave() == []

    def test_while_it_waits_for_its_lane(self) -> None:
        alice = Stage().client("alice", NARROW)
        alice.send(alice, b"first")
        waiting, last = alice.send(alice, b"waits"), alice.send(alice, b"last")
        waiting.call_off()
        alice.hear(alice.leave())
        assert alice.payloads() == [b"first", b"last"]
        assert last.is_admitted

    def test_while_it_waits_for_its_tag_it_holds_no_lane(self) -> None:
        policy = replace(OPEN.surbs, maximum_waiting=1)
        _client, server, tag = meet(Stage(), 10, replace(OPEN, surbs=policy))
        server.send(tag, lane=1)
        waiting = server.send(tag, lane=2)
        assert not waiting.is_settled
        assert server.outbox.lane_room.used(2) == 0
        waiting.call_off()
        assert server.outbox.tag_room.used(tag) == 1

    def test_when_it_is_in_the_outbox_its_packets_do_not_leave(self) -> None:
        alice = Stage().client("alice")
        submission = alice.send(alice, bytes(5000))
        submission.call_off()
        assert isinstance(submission.delivery.error, DeliveryAbandoned)
        assert alice.leave() == []
        assert alice.outbox.lane_room.total == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4000), st.booleans()), max_size=20))
def test_each_lane_keeps_its_order_whoever_is_called_off(
    asked: list[tuple[int, int, bool]],
) -> None:
    alice = Stage().client("alice", NARROW)
    submissions = [
        alice.send(alice, bytes([number]) * size, lane=lane)
        for number, (lane, size, _) in enumerate(asked)
    ]
    for submission, (_, _, is_called_off) in zip(submissions, asked, strict=True):
        if is_called_off:
            submission.call_off()
    alice.hear(alice.leave())
    arrived = [message.payload[0] for message in alice.taken()]
    for lane in range(3):
        expected = [
            number
            for number, (its_lane, _, is_called_off) in enumerate(asked)
            if its_lane == lane and not is_called_off
        ]
        assert [number for number in arrived if asked[number][0] == lane] == expected
    assert alice.outbox.lane_room.total == 0
