"""The program that a unit or a script starts: what systemd would say when it starts it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate.doctor.endpoint import reason_of
from nymproxy_migrate.doctor.model import Check, Verdict
from nymproxy_migrate.installing import INSTALL

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "program"

UNIT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
"""Where systemd looks for a program without a folder (systemd.exec(5)); the user's PATH is not."""

_LONGEST_FIRST_LINE = 256


def check_program(programs: Sequence[str]) -> Check:
    """Look at each program as ``systemd-analyze verify`` does, and at what interprets it."""
    if not programs:
        return Check(PROGRAM, Verdict.SKIPPED, "none given (--program or --unit)")
    for each in programs:
        problem = why_not_started(each)
        if problem is not None:
            return Check(
                PROGRAM,
                Verdict.FAIL,
                f"it cannot be started: {problem}",
                f"name the full path that `command -v nymproxy` prints, or: {INSTALL}",
                detail=each,
            )
    what = "it is there" if len(programs) == 1 else f"all {len(programs)} are there"
    return Check(PROGRAM, Verdict.OK, f"{what} and can be executed", detail=", ".join(programs))


def why_not_started(program: str) -> str | None:
    """Return why a unit could not start a program; None when it can."""
    if "/" not in program:
        found = shutil.which(program, path=UNIT_PATH)
        if found is None:
            return f"without a folder it is looked for in {UNIT_PATH} only, and is not there"
        program = found
    path = Path(program)
    if not path.is_absolute():
        return "a unit needs its full path"
    try:
        path.stat()
        if not path.is_file():
            return "it is no file"
        if not os.access(path, os.X_OK):
            return "it is not executable"
        interpreter = _interpreter_of(path)
    except OSError as error:
        return reason_of(error)
    if interpreter is not None and not os.access(interpreter, os.X_OK):
        return "what its first line names to interpret it is not there, or not executable"
    return None


def _interpreter_of(path: Path) -> str | None:
    # A program in a virtual environment that was moved or removed begins with a Python of the past.
    with path.open("rb") as file:
        line = file.readline(_LONGEST_FIRST_LINE)
    words = line[2:].split() if line.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words else None
