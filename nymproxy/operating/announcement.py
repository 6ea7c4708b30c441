"""The ready lines of a process: one on stdout when a forward is ready first, and its address file.

The file is there as long as the forward is ready, and no longer: one that was left by a process
that was killed goes before anything else happens.
"""

from __future__ import annotations

import json
import logging
import stat
import sys
from typing import TYPE_CHECKING

from nymproxy._atomic_write import write_atomically
from nymproxy._standard_streams import discard_output

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("nymproxy.operating")


def remove_address_file(path: Path | None) -> None:
    """Take the file away, whoever left it; what cannot be taken away is named in the log."""
    if path is None or not _is_file_or_free(path):
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be removed: %s", path, error.strerror)


def ready_line(description: dict[str, object]) -> str:
    """Return the line: a JSON object."""
    return json.dumps({"event": "ready", **description})


def print_ready(line: str) -> None:
    """Write the line to stdout; that nobody can read it there is no reason to end."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:
        discard_output()


def write_address_file(path: Path | None, line: str) -> None:
    """Write the file, if one is wanted; what keeps it from being written is logged."""
    if path is None or not _is_file_or_free(path):
        return
    try:
        write_atomically(path, f"{line}\n".encode())
    except OSError as error:
        logger.error("%s cannot be written: %s", path, error.strerror)


def _is_file_or_free(path: Path) -> bool:
    """Tell whether a path may be taken: ``/dev/stdout`` would not come back."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return True  # whoever takes it is told
    if not stat.S_ISREG(mode):
        logger.error("%s is no file, and stays as it is: name another address file", path)
    return stat.S_ISREG(mode)
