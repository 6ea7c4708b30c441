"""Reassembly: order, duplicates, linked sets, contradictions and bounds."""

from __future__ import annotations

import logging
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.messages import (
    Fragment,
    FragmentSetId,
    ReassembledMessage,
    Reassembler,
    ReassemblyLimits,
)
from nymproxy.mixnet.messages.chunking import pad, sets_needed, split

LENGTH = 12
"""Bytes of a fragment in these tests: 5 of payload, or 2 with a link."""
END_SET = 254 * 5 + 2


def fragments_of(data: bytes, first_set_id: int = 1, length: int = LENGTH) -> list[Fragment]:
    padded = pad(data, length)
    count = sets_needed(len(padded), length)
    set_ids = [FragmentSetId(first_set_id + index) for index in range(count)]
    return split(padded, length, set_ids)


def insert_all(
    reassembler: Reassembler, fragments: list[Fragment], now: float = 0
) -> list[ReassembledMessage]:
    completed = [reassembler.insert(fragment, now) for fragment in fragments]
    return [message for message in completed if message is not None]


def fragment(set_id: int, total: int, position: int, payload: bytes = b"x") -> Fragment:
    return Fragment(FragmentSetId(set_id), total, position, None, payload)


def linked(set_id: int, total: int, position: int, link: int) -> Fragment:
    return Fragment(FragmentSetId(set_id), total, position, FragmentSetId(link), b"x")


def full_set(
    set_id: int, previous: int | None = None, following: int | None = None
) -> list[Fragment]:
    """Build a set of 255 fragments with any links."""
    first = fragment(set_id, 255, 1) if previous is None else linked(set_id, 255, 1, previous)
    last = fragment(set_id, 255, 255) if following is None else linked(set_id, 255, 255, following)
    middle = [fragment(set_id, 255, position) for position in range(2, 255)]
    return [first, *middle, last]


@pytest.mark.parametrize("size", [1, 5, 100, 1200, 2 * END_SET, 4 * END_SET])
def test_any_order_gives_the_message(size: int) -> None:
    data = random.Random(size).randbytes(size)
    fragments = fragments_of(data)
    set_ids = tuple(dict.fromkeys(fragment.set_id for fragment in fragments))
    for seed in range(3):
        shuffled = random.Random(seed).sample(fragments, len(fragments))
        reassembler = Reassembler()
        assert insert_all(reassembler, shuffled[:-1]) == []
        (message,) = insert_all(reassembler, shuffled[-1:])
        assert message == ReassembledMessage(pad(data, LENGTH), set_ids)
        assert reassembler.incomplete_sets == reassembler.stored_bytes == 0


def test_the_later_of_two_different_fragments_wins() -> None:
    reassembler = Reassembler()
    reassembler.insert(fragment(1, 2, 1, b"early"), 0)
    reassembler.insert(fragment(1, 2, 1, b"later"), 0)
    assert reassembler.counts.overwritten == 1
    (message,) = insert_all(reassembler, [fragment(1, 2, 2, b" end")])
    assert message.padded == b"later end"


def test_identical_duplicates_change_nothing() -> None:
    reassembler = Reassembler()
    for _ in range(3):
        assert reassembler.insert(fragment(1, 2, 1), 0) is None
    assert reassembler.stored_bytes == 201
    assert reassembler.counts.overwritten == 0


def test_late_duplicates_of_a_finished_message_are_dropped() -> None:
    reassembler = Reassembler()
    fragments = fragments_of(bytes(3 * END_SET))
    assert len(insert_all(reassembler, fragments)) == 1
    assert insert_all(reassembler, fragments, now=1e6) == []
    assert reassembler.counts.late_duplicates == len(fragments)
    assert reassembler.incomplete_sets == 0


def test_a_new_message_may_reuse_the_id_of_a_finished_one() -> None:
    reassembler = Reassembler()
    assert len(insert_all(reassembler, fragments_of(b"first message"))) == 1
    (message,) = insert_all(reassembler, fragments_of(b"other message, longer"))
    assert message.padded.startswith(b"other message, longer")
    (message,) = insert_all(reassembler, fragments_of(b"the third one"))
    assert message.padded.startswith(b"the third one")


def test_the_memory_of_finished_messages_is_bounded() -> None:
    reassembler = Reassembler(ReassemblyLimits(finished_fragments=4))
    messages = [fragments_of(b"message", first_set_id=set_id) for set_id in (1, 2, 3)]
    assert {len(fragments) for fragments in messages} == {2}
    for fragments in messages:
        assert len(insert_all(reassembler, fragments)) == 1
    assert insert_all(reassembler, messages[2]) == []
    assert insert_all(reassembler, messages[1]) == []
    assert len(insert_all(reassembler, messages[0])) == 1


def test_a_fragment_that_contradicts_its_set_is_dropped() -> None:
    reassembler = Reassembler()
    reassembler.insert(fragment(1, 2, 1, b"good"), 0)
    assert insert_all(reassembler, [fragment(1, 3, 3), fragment(1, 3, 2), fragment(1, 1, 1)]) == []
    assert reassembler.counts.contradicting_fragments == 3
    (message,) = insert_all(reassembler, [fragment(1, 2, 2, b" end")])
    assert message.padded == b"good end"


def test_a_neighbour_that_does_not_link_back_is_not_joined() -> None:
    reassembler = Reassembler()
    assert insert_all(reassembler, full_set(1, following=2)) == []
    assert insert_all(reassembler, [linked(3, 1, 1, link=1)]) == []  # 1 says its next is 2
    assert reassembler.counts.contradicting_links == 1
    (message,) = insert_all(reassembler, [linked(2, 1, 1, link=1)])
    assert message.set_ids == (1, 2)
    assert reassembler.incomplete_sets == 0


def test_a_following_set_that_does_not_link_back_is_not_joined() -> None:
    reassembler = Reassembler()
    assert insert_all(reassembler, full_set(2, previous=9)) == []
    assert insert_all(reassembler, full_set(1, following=2)) == []
    assert reassembler.counts.contradicting_links == 1
    assert reassembler.incomplete_sets == 1


@pytest.mark.parametrize("length", [2, 3, 5])
def test_links_in_a_circle_are_refused(length: int) -> None:
    reassembler = Reassembler()
    for index in range(length):
        previous, following = (index - 1) % length + 1, (index + 1) % length + 1
        assert insert_all(reassembler, full_set(index + 1, previous, following)) == []
    assert reassembler.counts.contradicting_links == 1
    assert reassembler.incomplete_sets == length - 1


def test_a_link_can_change_while_the_message_waits() -> None:
    reassembler = Reassembler()
    insert_all(reassembler, full_set(1, following=7))
    reassembler.insert(linked(1, 255, 255, link=2), 0)
    (message,) = insert_all(reassembler, [linked(2, 1, 1, link=1)])
    assert message.set_ids == (1, 2)


def test_incomplete_sets_expire_half_an_hour_after_their_last_fragment() -> None:
    reassembler = Reassembler()
    reassembler.insert(fragment(1, 3, 1), now=0)
    reassembler.insert(fragment(2, 2, 1), now=0)
    reassembler.insert(fragment(1, 3, 2), now=1000)
    assert reassembler.insert(fragment(2, 2, 2), now=1800) is None  # its first one has gone
    assert reassembler.counts.expired_sets == 1
    assert reassembler.insert(fragment(1, 3, 3), now=1801) is not None


def test_ages_are_looked_at_now_and_then_only() -> None:
    reassembler = Reassembler(ReassemblyLimits(prune_interval_seconds=10, idle_seconds=5))
    reassembler.insert(fragment(1, 2, 1), now=0)
    reassembler.insert(fragment(2, 2, 1), now=9)
    assert reassembler.incomplete_sets == 2
    reassembler.insert(fragment(3, 2, 1), now=10)
    assert reassembler.incomplete_sets == 2
    reassembler.prune(now=100)
    assert reassembler.incomplete_sets == reassembler.stored_bytes == 0


def test_too_many_sets_displace_those_fed_longest_ago() -> None:
    reassembler = Reassembler(ReassemblyLimits(incomplete_sets=2))
    insert_all(reassembler, [fragment(1, 3, 1), fragment(2, 3, 1), fragment(1, 3, 2)])
    reassembler.insert(fragment(3, 3, 1), 0)
    assert reassembler.counts.displaced_sets == 1
    assert reassembler.incomplete_sets == 2
    assert reassembler.insert(fragment(1, 3, 3), 0) is not None


def test_losses_are_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    reassembler = Reassembler(ReassemblyLimits(incomplete_sets=2))
    with caplog.at_level(logging.INFO, "nymproxy.messages"):
        for set_id in range(1, 100):
            reassembler.insert(fragment(set_id, 2, 1), now=1)
        assert not caplog.records
        reassembler.prune(now=11)
        reassembler.prune(now=4000)
    displaced, expired = caplog.records
    assert displaced.levelno == logging.WARNING
    assert "97" in displaced.getMessage()
    assert "2" in expired.getMessage()


def test_too_many_bytes_displace_sets() -> None:
    reassembler = Reassembler(ReassemblyLimits(stored_bytes=1000))
    payload = bytes(200)
    for set_id in (1, 2, 3):
        reassembler.insert(fragment(set_id, 2, 1, payload), 0)
    assert reassembler.incomplete_sets == 2
    assert reassembler.stored_bytes == 800
    assert reassembler.insert(fragment(3, 2, 2, payload), 0) is not None
    assert reassembler.stored_bytes == 400


def test_a_message_over_the_bound_is_dropped_not_kept() -> None:
    reassembler = Reassembler(ReassemblyLimits(stored_bytes=1000))
    for position in range(1, 4):
        reassembler.insert(fragment(1, 9, position, bytes(800)), 0)
        assert reassembler.stored_bytes <= 1000
    assert reassembler.counts.displaced_sets >= 1


def test_empty_fragments_count_too() -> None:
    reassembler = Reassembler(ReassemblyLimits(stored_bytes=1000))
    for set_id in range(1, 100):
        reassembler.insert(fragment(set_id, 2, 1, b""), 0)
    assert reassembler.incomplete_sets == 5


@st.composite
def arbitrary_fragments(draw: st.DrawFn) -> Fragment:
    """Draw a fragment of one of few sets, often of few fragments, with any link."""
    set_id = draw(st.integers(1, 4))
    total = draw(st.sampled_from([1, 1, 2, 3, 255]))
    position = draw(st.sampled_from([1, min(2, total), total]))
    link = None
    if position in (1, 255):
        others = st.integers(1, 4).filter(lambda other: other != set_id).map(FragmentSetId)
        link = draw(st.none() | others)
    return Fragment(FragmentSetId(set_id), total, position, link, draw(st.binary(max_size=3)))


@given(st.lists(arbitrary_fragments() | st.sampled_from(full_set(1, 2, 3) + full_set(2, 3, 1))))
def test_any_fragments_are_survived(fragments: list[Fragment]) -> None:
    limits = ReassemblyLimits(incomplete_sets=3, stored_bytes=120_000, finished_fragments=3)
    reassembler = Reassembler(limits)
    # Two sets that link to each other and to a third: only one fragment of each is missing.
    insert_all(reassembler, full_set(1, 2, 3)[1:] + full_set(2, 3, 1)[1:])
    for each in fragments:
        reassembler.insert(each, 0)
        assert reassembler.incomplete_sets <= 3
        assert 0 <= reassembler.stored_bytes <= 120_000
    reassembler.prune(now=10_000)
    assert reassembler.incomplete_sets == reassembler.stored_bytes == 0


class TestMemory:
    def test_what_is_stored_is_charged_and_takes_a_quarter_at_most(self) -> None:
        account = MemoryAccount(1 << 20)
        reassembler = Reassembler(memory=account)
        for number in range(1, 400):
            fragment = Fragment(FragmentSetId(number), 2, 1, None, bytes(1604))
            reassembler.insert(fragment, float(number))
            assert account.used_bytes == reassembler.stored_bytes <= 1 << 18
        assert reassembler.counts.displaced_sets > 0
        reassembler.prune(1e6)
        assert account.used_bytes == 0

    def test_the_older_half_is_given_back(self) -> None:
        account = MemoryAccount(1 << 20)
        reassembler = Reassembler(memory=account)
        for number in range(1, 101):
            reassembler.insert(Fragment(FragmentSetId(number), 2, 1, None, bytes(800)), 0.0)
        account.share(None).hold(1 << 20)
        account.settle()
        assert reassembler.incomplete_sets == 50
        rest = Fragment(FragmentSetId(100), 2, 2, None, b"rest")
        assert reassembler.insert(rest, 0.0) is not None
        reassembler.close()
        assert account.used_bytes == 1 << 20
        assert reassembler.incomplete_sets == reassembler.stored_bytes == 0

    def test_nothing_is_left_of_one_that_is_closed(self) -> None:
        def filled() -> Reassembler:
            reassembler = Reassembler()
            for set_id in range(1, 3_000):
                reassembler.insert(Fragment(FragmentSetId(set_id), 1, 1, None, b"whole"), 0.0)
            return reassembler

        filled()  # Python keeps some tuples of each length
        tracemalloc.start()
        reassembler = filled()
        before, _ = tracemalloc.get_traced_memory()
        reassembler.close()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert before > 8 * 3_000
        assert after < 8 * 300
