"""Unified diffs of bytes: a file need not be UTF-8 to be shown exactly."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nymproxy_migrate.changes import FileChange

_NO_FINAL_NEWLINE = b"\n\\ No newline at end of file\n"


def unified(changes: Iterable[FileChange]) -> bytes:
    """Return a diff that ``patch -p1`` and ``git apply`` take."""
    return b"".join(line for change in changes for line in _lines(change))


def _lines(change: FileChange) -> Iterator[bytes]:
    path = os.fsencode(change.path)
    for line in difflib.diff_bytes(
        difflib.unified_diff,
        _split(change.before),
        _split(change.after),
        b"a/" + path,
        b"b/" + path,
    ):
        yield line if line.endswith(b"\n") else line + _NO_FINAL_NEWLINE


def _split(data: bytes) -> list[bytes]:
    # Only a line feed ends a line here: bytes.splitlines would cut at a lone carriage return.
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
