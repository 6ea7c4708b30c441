"""Children end when their parent dies, however that comes, and nobody is left who watches that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import psutil  # type: ignore[import-untyped]
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARENT = """
import signal, sys
from pathlib import Path
import anyio
from nymproxy.testing import orphans
from nymproxy.testing.processes import child_process

CHILD = "import signal; {told}; print('{{}}', flush=True); signal.pause()"
orphans._PROGRAM = orphans._PROGRAM.replace("monotonic() + 5", "monotonic() + {seconds}")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored

async def main():
    program = (sys.executable, "-c", CHILD)
    folder, inherited = Path(sys.argv[1]), (int(sys.argv[2]),)
    async with child_process("c", (), program=program, log_directory=folder, inherited=inherited):
        print("ready", flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@contextmanager
def parent_of_one(
    folder: Path, told: str, seconds: float
) -> Iterator[tuple[subprocess.Popen[str], BinaryIO]]:
    """Run one; gives it, ready, and a pipe that ends when it and its child have ended."""
    source = PARENT.format(told=told, seconds=seconds)
    reader, writer = os.pipe()
    with (
        open(reader, "rb") as both_ended,
        subprocess.Popen(
            [sys.executable, "-c", source, str(folder), str(writer)],
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(writer,),
        ) as parent,
    ):
        os.close(writer)
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        yield parent, both_ended


@pytest.mark.parametrize(
    ("number", "told", "seconds"),
    [
        (signal.SIGTERM, "signal.signal(signal.SIGTERM, signal.SIG_DFL)", 300),
        (signal.SIGKILL, "signal.signal(signal.SIGTERM, signal.SIG_IGN)", 0.1),
    ],
    ids=["a child that ends", "a child that does not want to"],
)
def test_a_parent_that_dies_takes_its_children_along(
    number: signal.Signals, told: str, seconds: float, tmp_path: Path
) -> None:
    """As a test run that is ended from outside: proxies and localnets went on for ever."""
    with parent_of_one(tmp_path, told, seconds) as (parent, both_ended):
        parent.send_signal(number)
        assert parent.wait(timeout=60) == -number
        assert both_ended.read() == b""


def test_who_ends_in_order_leaves_nobody(tmp_path: Path) -> None:
    with parent_of_one(tmp_path, "None", 300) as (parent, _):
        everybody = psutil.Process(parent.pid).children()
        parent.send_signal(signal.SIGINT)
        parent.wait(timeout=60)
    assert len(everybody) == 2
    assert not any(each.is_running() for each in everybody)
