"""A worker's side of the connection."""

from __future__ import annotations

import pickle

from nymproxy_migrate.workers import child, limits
from tests.migrate.workers import jobs


def test_an_answer_is_the_result_and_whether_to_go_on() -> None:
    result, _ = pickle.loads(child._answer(jobs.double, 2)[0])
    assert result == 4


def test_without_memory_a_worker_takes_no_more() -> None:
    def out_of_memory(_: object) -> None:
        raise MemoryError

    answer, goes_on = child._answer(out_of_memory, 0)
    assert pickle.loads(answer) == (limits.OUT_OF_MEMORY, False)
    assert not goes_on
