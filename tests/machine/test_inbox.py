"""Inbox and ReadingStall: bounds in messages and bytes, and how long a stall counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.machine import inbox as module
from nymproxy.mixnet.machine.inbox import MAXIMUM_BYTES, MAXIMUM_MESSAGES, Inbox, ReadingStall
from nymproxy.mixnet.records import Received

POINT = bytes([0x58] + [0x66] * 31)


def message(size: int) -> Received:
    return Received(bytes(size), None)


class TestInbox:
    def test_first_in_first_out(self) -> None:
        inbox = Inbox()
        messages = [message(size) for size in range(3)]
        for each in messages:
            inbox.put(each)
            assert inbox.newest is each
        assert [inbox.take() for _ in range(4)] == [*messages, None]
        with pytest.raises(IndexError):
            _ = inbox.newest

    def test_an_expected_reply_is_for_who_expects_it(self) -> None:
        inbox, answers = Inbox(), 0

        def answered() -> None:
            nonlocal answers
            answers += 1

        asked, other = (
            NymAddress(POINT, bytes(31) + last, NodeIdentity(POINT)) for last in (b"\x01", b"\x02")
        )
        reply, question, somebody_elses = (
            Received(b"\x03answer", None, asked),
            Received(b"\x03answer", SenderTag(bytes(16))),
            Received(b"\x03answer", None, other),
        )
        with inbox.expecting(b"\x03a", asked, answered):
            inbox.put(reply)
            assert (answers, len(inbox), inbox.newest) == (1, 0, None)
            for each in (question, somebody_elses, Received(b"\x03", None, asked)):
                inbox.put(each)
                assert inbox.newest is each
        inbox.put(reply)
        assert (answers, len(inbox)) == (1, 4)

    def test_what_waits_is_charged(self) -> None:
        account = MemoryAccount()
        inbox = Inbox(account.share(None))
        inbox.put(message(100))
        inbox.put(message(50))
        inbox.take()
        assert account.used_bytes == 50
        inbox.close()
        assert account.used_bytes == 0
        assert inbox.take() == message(50)

    def test_it_is_full_by_messages_or_by_bytes(self) -> None:
        by_count, by_bytes = Inbox(), Inbox()
        for _ in range(MAXIMUM_MESSAGES - 1):
            by_count.put(message(0))
        by_bytes.put(message(MAXIMUM_BYTES - 1))
        assert (by_count.is_full, by_bytes.is_full) == (False, False)
        by_count.put(message(0))
        by_bytes.put(message(1))
        assert (by_count.is_full, by_bytes.is_full) == (True, True)

    @given(st.lists(st.one_of(st.none(), st.integers(0, 60)), max_size=60))
    def test_what_is_taken_makes_room(self, steps: list[int | None]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "MAXIMUM_BYTES", 100)
            inbox = Inbox()
            model: list[Received] = []
            for step in steps:
                if step is None:
                    assert inbox.take() == (model.pop(0) if model else None)
                else:
                    inbox.put(message(step))
                    model.append(message(step))
                assert len(inbox) == len(model)
                assert inbox.is_full == (sum(len(each.payload) for each in model) >= 100)


class TestReadingStall:
    def test_nothing_happened(self) -> None:
        stall = ReadingStall()
        stall.resumed(5.0)
        assert stall.seconds(5.0) == 0

    def test_it_grows_while_nothing_is_read(self) -> None:
        stall = ReadingStall()
        stall.paused(1.0)
        stall.paused(2.0)  # the same stall
        assert stall.seconds(4.0) == 3.0

    def test_it_counts_for_a_second_afterwards(self) -> None:
        stall = ReadingStall()
        stall.paused(1.0)
        stall.resumed(3.0)
        assert stall.seconds(3.5) == 2.5
        assert stall.seconds(4.0) == 0

    def test_not_for_ever(self) -> None:
        stall = ReadingStall()
        stall.paused(1.0)
        assert stall.seconds(11.0) == 10.0
        assert stall.seconds(11.1) == 0
        stall.resumed(20.0)
        assert stall.seconds(20.1) == 0
