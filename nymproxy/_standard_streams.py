"""Standard streams that are closed, or whose reader is gone."""

from __future__ import annotations

import os
import sys


def discard_output() -> None:
    """Let standard output lead nowhere once its reader is gone.

    Otherwise the interpreter complains at exit, when it flushes what is left.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_standard_streams() -> None:
    """Let those of stdin, stdout and stderr that the caller has closed lead nowhere.

    Otherwise the next file or socket would take their number, and get what is written to them.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:  # a closed one, when the interpreter started
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
