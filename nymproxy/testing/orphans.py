"""Ends children whose parent died without ending them: killed, or a test run ended from outside.

The system tells nobody that. So a small process, one for each parent, reads a pipe that the parent
alone can write to: which children there are, and, by its end, that the parent is gone.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Started with -I -S, so that it is there after some milliseconds. Of a child in a session of its
# own it ends all that the child has started, too.
_PROGRAM = """
import os, signal, sys, time

def tell(child, number):
    try:
        if os.getpgid(child) == child:
            os.killpg(child, number)
        else:
            os.kill(child, number)
    except OSError:
        return False
    return True

children = set()
for line in sys.stdin:
    change, child = line.split()
    (children.add if change == "+" else children.discard)(int(child))
give_up_at = time.monotonic() + 5
for number in (signal.SIGTERM, signal.SIGCONT):
    children = {each for each in children if tell(each, number)}
while children and time.monotonic() < give_up_at:
    time.sleep(0.05)
    children = {each for each in children if tell(each, 0)}
for each in children:
    tell(each, signal.SIGKILL)
"""

_lock = threading.Lock()
_writers: dict[int, int] = {}
"""By process id of the parent, so that a forked one has its own: where its children are told."""


def _writer() -> int:
    with _lock:
        if os.getpid() not in _writers:
            reader, writer = os.pipe()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            os.close(reader)
            _writers[os.getpid()] = writer
            atexit.register(_dismiss, os.getpid(), writer, process)
        return _writers[os.getpid()]


def _dismiss(parent: int, writer: int, process: subprocess.Popen[bytes]) -> None:
    if os.getpid() == parent:
        os.close(writer)
        process.wait()


@contextmanager
def ends_with_us(child: int) -> Iterator[None]:
    """See to it that a child does not outlive this process while the block lasts.

    Args:
        child: its process id. It is told to end (SIGTERM), and killed five seconds later.
    """
    writer = _writer()
    with suppress(BrokenPipeError):
        os.write(writer, b"+ %d\n" % child)
    try:
        yield
    finally:
        with suppress(BrokenPipeError):
            os.write(writer, b"- %d\n" % child)
