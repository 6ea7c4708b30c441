"""The pool: what one piece of work does is its own matter, and all others are done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.workers import Failure, limits, pool
from nymproxy_migrate.workers.pool import Pool, call
from tests.migrate.workers import jobs

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ROOT = Path(__file__).resolve().parents[3]


def results(made: Pool) -> dict[object, object]:
    return {argument: result for _, argument, result in made}


def test_every_task_is_done_once() -> None:
    made = Pool()
    for number in range(200):
        made.add(jobs.double, number)
    assert results(made) == {number: 2 * number for number in range(200)}


def test_tasks_may_be_added_meanwhile() -> None:
    made = Pool()
    made.add(jobs.double, 1)
    seen = []
    for _, argument, result in made:
        seen.append(argument)
        if result < 100:
            made.add(jobs.double, result)
    assert seen == [1, 2, 4, 8, 16, 32, 64]


def test_what_is_given_up_comes_back() -> None:
    made = Pool()
    for number in range(500):
        made.add(jobs.double, number)
    done = []
    for _, argument, _ in made:
        done.append(argument)
        if len(done) == 3:
            left = [argument for _, argument in made.give_up()]
    assert sorted([*done, *left]) == list(range(500))
    assert made.answered_bytes > 0
    assert call(jobs.double, 4) == 8


def test_giving_up_when_several_have_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait_for_all(connections: list[Connection], timeout: float) -> list[Connection]:
        for connection in connections:
            assert connection.poll(30)
        return connections

    monkeypatch.setattr(pool, "wait", wait_for_all)
    monkeypatch.setattr(pool, "_processors", lambda: 2)
    made = Pool()
    for number in range(100):
        made.add(jobs.double, number)
    done = []
    for _, argument, _ in made:
        done.append(argument)
        left = [argument for _, argument in made.give_up()]
    assert len(done) == 1
    assert sorted([*done, *left]) == list(range(100))


def test_a_crash_takes_nothing_else_along() -> None:
    made = Pool()
    for number in range(10):
        made.add(jobs.die, number)
    found = results(made)
    assert found.pop(3) == Failure("its parser crashes on it (SIGSEGV)")
    assert found == {number: number for number in range(10) if number != 3}


@pytest.mark.parametrize(
    ("job", "failure"),
    [
        (jobs.fill, limits.OUT_OF_MEMORY),
        (jobs.fail, Failure("it cannot be judged (KeyError)", is_over_a_limit=False)),
    ],
)
def test_failures(job: object, failure: Failure) -> None:
    assert callable(job)
    assert call(job, 0) == failure
    assert call(jobs.double, 4) == 8


def test_processor_time() -> None:
    for _ in range(2):  # each piece of work has all of it
        left = call(jobs.time_left, 0)
        assert isinstance(left, float)
        assert left == pytest.approx(limits.PROCESSOR_SECONDS, abs=0.5)
    assert call(jobs.spin, 0.1) == limits.OUT_OF_TIME


def test_time_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    call(jobs.double, 1)
    monkeypatch.setattr(limits, "CLOCK_SECONDS", 0.3)
    assert call(jobs.wait, 0) == limits.NO_ANSWER


def test_memory_that_the_pool_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a system does not hold a process to its address space."""
    call(jobs.double, 1)
    monkeypatch.setattr(limits, "MEMORY_BYTES", 1)
    assert call(jobs.wait, 0) == limits.OUT_OF_MEMORY


def test_a_worker_that_was_large_is_replaced() -> None:
    first = call(jobs.process_id, 0)
    assert call(jobs.grow, 150) == 150 << 20
    assert call(jobs.process_id, 0) != first


def test_too_long_an_answer() -> None:
    assert call(jobs.talk, limits.ANSWER_BYTES + 1) == limits.TOO_MUCH_FOUND
    assert call(jobs.talk, 5) == bytes(5)


def test_workers_stay_warm_and_are_replaced_when_they_die() -> None:
    first = call(jobs.process_id, 0)
    assert call(jobs.process_id, 0) == first
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    assert call(jobs.process_id, 0) != first


def test_workers_stay_warm_however_large_the_process_is_that_starts_them() -> None:
    script = (
        "from nymproxy_migrate.workers.pool import call\n"
        "from tests.migrate.workers import jobs\n"
        "ballast = bytearray(200 << 20)\n"
        "ballast[::4096] = b'x' * len(ballast[::4096])\n"
        "assert call(jobs.process_id, 0) == call(jobs.process_id, 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_a_pool_that_is_left_ends_its_workers() -> None:
    made = Pool()
    made.add(jobs.process_id, 0)
    made.add(jobs.wait, 0)
    answers = iter(made)
    next(answers)
    busy = [worker.process for worker in made._busy.values()]
    answers.close()  # type: ignore[attr-defined]
    assert all(process.returncode is not None for process in busy)


def test_tasks_can_be_taken_back() -> None:
    made = Pool()
    for number in range(5):
        made.add(jobs.double, number)
        made.add(jobs.process_id, number)
    assert made.withdraw(jobs.process_id) == [0, 1, 2, 3, 4]
    assert results(made) == {number: 2 * number for number in range(5)}


def test_a_missing_module_is_no_failure() -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        call(jobs.lack, 0)
    assert caught.value.name == "libcst"


def test_the_current_folder_is_not_searched_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    pool._end_idle_workers()
    found = call(jobs.paths, 0)
    assert isinstance(found, list)
    assert "" not in found
    assert str(tmp_path) not in found
