"""Sender tags and the limits on SURBs handed out."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import NodeIdentity, NymAddress
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
    assert budget.batches(_address(1), 10) == [10]
    assert budget.batches(_address(2), 100) == [100]
    assert budget.batches(_address(3), 250) == [100, 100, 50]


def test_a_greedy_request_is_cut() -> None:
    budget = AnswerBudget(SurbPolicy())
    assert sum(budget.batches(_address(1), 2**32 - 1)) == 500


def test_asking_again_before_the_answer_left_gains_nothing() -> None:
    budget = AnswerBudget(SurbPolicy())
    budget.batches(_address(1), 450)
    assert budget.batches(_address(1), 100) == [50]
    assert budget.batches(_address(1), 100) == []
    assert budget.batches(_address(2), 100) == [100]
    budget.left(_address(1), 100)
    assert budget.batches(_address(1), 300) == [100]


def test_a_request_for_nothing_is_refused() -> None:
    assert AnswerBudget(SurbPolicy()).batches(_address(1), 0) == []


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 700)), max_size=40))
def test_never_more_than_the_limit_is_outstanding(steps: list[tuple[int, int]]) -> None:
    policy = SurbPolicy(maximum_answer=500, answer_batch=100)
    budget = AnswerBudget(policy)
    outstanding = dict.fromkeys(range(3), 0)
    for (who, amount), is_request in zip(steps, itertools.cycle((True, False)), strict=False):
        if is_request:
            batches = budget.batches(_address(who), amount)
            assert all(0 < batch <= policy.answer_batch for batch in batches)
            outstanding[who] += sum(batches)
        else:
            done = min(amount, outstanding[who])
            budget.left(_address(who), done)
            outstanding[who] -= done
        assert outstanding[who] <= policy.maximum_answer
