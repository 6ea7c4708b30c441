"""Programs with children that a signal ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import pytest

from nymproxy.testing.processes import run_until_signal

if TYPE_CHECKING:
    from pathlib import Path

_PARENT = """
import json, sys
from pathlib import Path
import anyio
from nymproxy.testing.processes import child_process, run_until_signal

# As `nymproxy run` with two forwards, whose lines may come together.
CHILD = "import signal; print('{}\\\\n{}', flush=True); signal.pause()"

async def main():
    program = (sys.executable, "-c", CHILD)
    async with child_process("c", (), program=program, log_directory=Path(sys.argv[1])) as child:
        print(child.process.pid, flush=True)
        await anyio.sleep_forever()

try:
    run_until_signal(main)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_children_first(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(number)
        assert parent.wait(timeout=30) == 130
    assert not child.is_running()


def test_the_result_comes_back() -> None:
    async def answer() -> int:
        return 42

    assert run_until_signal(answer) == 42


def test_an_error_comes_out() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ExceptionGroup) as caught:
        run_until_signal(fail)
    assert caught.group_contains(ValueError, match="no")
