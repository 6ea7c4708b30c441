"""Where nymproxy is when the commands that the tool writes run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy.cli.root import is_windows
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence


def program_of(paths: Sequence[Path], given: str | None) -> str | None:
    """Return the program that is given, or else the one of this machine.

    Raises:
        Refused: it is given without its folder.
    """
    check_program(given)
    return given or installed(paths)


def check_program(given: str | None) -> None:
    """Check what ``--program`` says.

    Raises:
        Refused: it has no full path.
    """
    if given is not None and not given.startswith("/"):
        raise Refused(f"--program {given}: give the full path, /usr/local/bin/nymproxy say")


def installed(paths: Sequence[Path]) -> str | None:
    """Return where nymproxy is on this machine, unless that is inside of what is scanned. What is
    scanned on Windows is not for that machine."""
    if is_windows():
        return None
    beside = Path(sys.executable).with_name("nymproxy")
    found = str(beside) if beside.exists() else shutil.which("nymproxy")
    scanned = [path.absolute() for path in paths or [Path()]]
    inside = found is not None and any(Path(found).is_relative_to(path) for path in scanned)
    return None if inside else found
