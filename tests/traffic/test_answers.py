"""Sender tags and the limits on SURBs handed out."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import NodeIdentity, NymAddress
from nymproxy.mixnet.messages import fragment_length, fragments_needed
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.mixnet.traffic import AnswerBudget, SenderTags, SurbPolicy
from tests.traffic.helpers import seeded

# Any key on the curve will do: the base point and multiples are not needed, 58 66 .. is the base.
_POINT = bytes([0x58] + [0x66] * 31)
GATEWAY = NodeIdentity(_POINT)


def _address(number: int) -> NymAddress:
    return NymAddress(_POINT, number.to_bytes(32, "big"), GATEWAY)


def test_each_recipient_has_one_tag() -> None:
    tags = SenderTags(seeded(), 10)
    first = tags.tag_for(_address(1))
    assert tags.tag_for(_address(1)) == first
    assert tags.tag_for(_address(2)) != first
    assert tags.known(_address(1)) == first
    assert tags.known(_address(3)) is None


def test_the_recipient_not_written_to_for_longest_is_forgotten() -> None:
    tags = SenderTags(seeded(), 2)
    first = tags.tag_for(_address(1))
    tags.tag_for(_address(2))
    tags.tag_for(_address(1))
    tags.tag_for(_address(3))
    assert tags.known(_address(1)) == first
    assert tags.known(_address(2)) is None


def test_an_answer_comes_in_batches() -> None:
    budget = AnswerBudget(SurbPolicy())
    assert budget.batches(_address(1), 10, 0, 0.0) == [10]
    assert budget.batches(_address(2), 20, 0, 0.0) == [10, 10]
    assert budget.batches(_address(3), 45, 0, 0.0) == [10, 10, 10, 10, 5]


def test_a_greedy_request_is_cut() -> None:
    budget = AnswerBudget(SurbPolicy())
    assert sum(budget.batches(_address(1), 2**32 - 1, 0, 0.0)) == 500


def test_asking_again_before_the_answer_left_gains_nothing() -> None:
    budget = AnswerBudget(SurbPolicy())

    def asked(who: int, amount: int, now: float) -> int:
        return sum(budget.batches(_address(who), amount, 0, now))

    asked(1, 450, 0.0)
    assert [asked(1, 100, 0.0), asked(1, 100, 0.0), asked(2, 100, 0.0)] == [50, 0, 100]
    budget.left(_address(1), 100)
    assert asked(1, 300, 1.0) == 100


def test_a_large_answer_is_given_once_a_second() -> None:
    budget = AnswerBudget(SurbPolicy())
    granted = []
    for now in (0.0, 0.5, 0.99, 1.0):
        granted.append(sum(budget.batches(_address(1), 200, 0, now)))
        budget.left(_address(1), granted[-1])
    assert granted == [200, 50, 50, 200]


def test_no_more_are_given_ahead_of_replies_than_the_maximum() -> None:
    budget = AnswerBudget(SurbPolicy(maximum_unused=300))

    def asked(used: int, now: float) -> int:
        granted = sum(budget.batches(_address(1), 2**32 - 1, used, now))
        budget.left(_address(1), granted)
        return granted

    assert [asked(0, 0.0), asked(0, 1.0), asked(0, 11.0)] == [300, 10, 100]
    assert asked(100, 11.0) == 50  # 110 may be given, not at once
    assert asked(100, 12.0) == 70
    assert asked(15, 12.0) == 16  # whose replies are counted anew


def test_the_recipient_not_heard_of_for_longest_is_forgotten() -> None:
    budget = AnswerBudget(SurbPolicy(maximum_recipients=2))
    for number in range(3):
        budget.batches(_address(number), 500, 0, 0.0)
    budget.left(_address(0), 500)
    assert sum(budget.batches(_address(0), 500, 0, 0.0)) == 500
    assert budget.batches(_address(2), 500, 0, 0.0) == []


def test_a_request_for_nothing_is_refused() -> None:
    assert AnswerBudget(SurbPolicy()).batches(_address(1), 0, 0, 0.0) == []


def test_an_answer_comes_in_messages_of_few_packets_and_takes_no_more_of_them() -> None:
    """In one message, every other answer was lost whole where 3 % of the packets were."""
    policy = SurbPolicy()
    batches = AnswerBudget(policy).batches(_address(1), policy.maximum_request, 0, 0.0)
    assert batches == [10] * 5
    whole = fragment_length(PacketSize.REGULAR) - 1
    sizes = (policy.maximum_request, *batches)
    in_one, *in_parts = (fragments_needed(23 + 460 * surbs, whole)[0] for surbs in sizes)
    assert (in_one, in_parts) == (15, [3] * 5)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 700)), max_size=40))
def test_never_more_than_the_limit_is_outstanding(steps: list[tuple[int, int]]) -> None:
    policy = SurbPolicy(maximum_answer=500, answer_batch=100)
    budget = AnswerBudget(policy)
    outstanding = dict.fromkeys(range(3), 0)
    for (who, amount), is_request in zip(steps, itertools.cycle((True, False)), strict=False):
        if is_request:
            batches = budget.batches(_address(who), amount, 0, 0.0)
            assert all(0 < batch <= policy.answer_batch for batch in batches)
            outstanding[who] += sum(batches)
        else:
            done = min(amount, outstanding[who])
            budget.left(_address(who), done)
            outstanding[who] -= done
        assert outstanding[who] <= policy.maximum_answer
