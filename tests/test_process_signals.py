"""Signals at the end of a process; while it runs, ``test_supervisor.py`` has them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ENDING = """
import atexit, gc, os, signal, sys
import anyio
from functools import partial
from nymproxy._process_signals import ignore_stray_signals
from nymproxy.operating.supervisor import Supervisor
from tests.operating.pretended import Made

def late():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(os.getpid(), number)
    print("to the end", gc.get_freeze_count() > 10_000, flush=True)

if sys.argv[1:] == ["late"]:
    atexit.register(late)
supervisor = Supervisor([Made().plan()], grace_seconds=3.0)
anyio.run(partial(supervisor.run, ends_process=True))
"""


@pytest.mark.parametrize("when", ["late", "always"])
def test_no_signal_changes_the_status_of_a_process_that_was_told_to_end(when: str) -> None:
    """Once the second of two signals could find the default effect again, and kill.

    What there was when it became ready, the collector of garbage has left alone since.
    """
    command = [sys.executable, "-c", ENDING, when]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        while when == "always" and process.poll() is None:
            process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert rest == ("to the end True\n" if when == "late" else "")
