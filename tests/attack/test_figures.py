"""The figures themselves: what an attack's test states, and what must fail it."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.attack.figures import MEBIBYTE, AttackFigures, Phase, undelayed_time
from tests.attack.table import FigureCollector

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def attacked(before: float, during: float, after: float) -> AttackFigures:
    """Figures of an attack in virtual time whose honest requests took so many seconds."""
    clock = Clock()
    figures = AttackFigures(clock=clock)
    with figures.honest():
        clock.now += before
    with figures.attack("a peer that is slow"), figures.honest():
        clock.now += during
    clock.now += 1.0
    with figures.honest():
        clock.now += after
    return figures


def test_each_request_counts_for_the_phase_in_which_it_began() -> None:
    figures = attacked(1.0, 3.0, 2.0)
    assert figures.honest_seconds == {
        Phase.BEFORE: [1.0],
        Phase.DURING: [3.0],
        Phase.AFTER: [2.0],
    }
    assert figures.ratio(Phase.DURING) == 3.0
    assert figures.recovered_seconds == 3.0
    assert figures.alive == 1


def test_waiting_counts_and_waiting_for_a_processor_does_not() -> None:
    by_the_clock, began = time.monotonic(), undelayed_time()
    time.sleep(0.05)
    took = undelayed_time() - began
    assert 0 < took <= time.monotonic() - by_the_clock
    assert took > 0.02


def test_what_held() -> None:
    attacked(1.0, 2.0, 1.0).check(memory_limit_bytes=64 * MEBIBYTE, slack_seconds=0)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [((1.0, 2.1, 1.0), "during the attack"), ((1.0, 1.0, 2.1), "after the attack")],
)
def test_honest_requests_that_took_too_long(
    seconds: tuple[float, float, float], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        attacked(*seconds).check(memory_limit_bytes=64 * MEBIBYTE, slack_seconds=0)


def test_an_attack_without_honest_requests_proves_nothing() -> None:
    figures = AttackFigures()
    with figures.attack("nobody asks"):
        pass
    assert figures.ratio(Phase.DURING) is None
    with pytest.raises(ValueError, match="no median"):
        figures.check(memory_limit_bytes=64 * MEBIBYTE)


def test_memory_that_was_given_back_counts_as_well() -> None:
    figures = AttackFigures()
    with figures.attack("64 MiB, written and freed"):
        memory = bytearray(b"x") * (64 * MEBIBYTE)
        figures.sample()
        del memory
    assert figures.grown_bytes > 32 * MEBIBYTE
    with pytest.raises(AssertionError, match="memory grew"):
        figures.check(memory_limit_bytes=32 * MEBIBYTE)


def test_a_dead_process() -> None:
    figures = attacked(1.0, 1.0, 1.0)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        figures.pids.append(process.pid)
    assert figures.alive == 1
    with pytest.raises(AssertionError, match="1 processes died"):
        figures.check(memory_limit_bytes=64 * MEBIBYTE)


ATTACKS = """
def test_held(attack_figures):
    with attack_figures.honest():
        pass
    with attack_figures.attack("one"), attack_figures.honest():
        pass
    attack_figures.notes["frames"] = "7 /s"

def test_lost(attack_figures):
    with attack_figures.attack("two"):
        raise RuntimeError

def test_without_figures():
    pass
"""


def test_the_table_has_every_attack_also_from_workers(tmp_path: Path) -> None:
    module = tmp_path / "test_a1_example.py"
    module.write_text(ATTACKS)
    plugins = ["-p", "tests.attack.conftest", "-p", "no:cacheprovider"]
    collector = FigureCollector()
    code = pytest.main(
        ["-q", "-n", "1", f"--rootdir={tmp_path}", *plugins, str(module)], plugins=[collector]
    )
    assert code == pytest.ExitCode.TESTS_FAILED
    heading, *lines = collector.table().splitlines()
    assert heading.split()[:2] == ["attack", "strength"]
    assert [line.split()[0] for line in lines] == [
        "test_a1_example.py::test_held",
        "frames:",
        "test_a1_example.py::test_lost",
    ]
    assert lines[0].endswith("1/1    held")
    assert lines[1] == "    frames: 7 /s"
    assert lines[2].endswith("FAILED")
