"""Unified diffs of bytes: a file need not be UTF-8 to be shown exactly.

They are made from the edits, so that it takes no longer for a file that somebody has made so that
the search for what two texts have in common takes hours.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nymproxy_migrate.changes import FileChange

_CONTEXT_LINES = 3
_NO_FINAL_NEWLINE = b"\n\\ No newline at end of file\n"
_QUOTED = {"\n": b"\\n", "\t": b"\\t", "\r": b"\\r", '"': b'\\"', "\\": b"\\\\"}


@dataclass(frozen=True, slots=True)
class _Region:
    """Lines that are replaced: those from ``first`` on, as many as ``old``, by ``new``."""

    first: int
    old: Sequence[bytes]
    new: Sequence[bytes]

    @property
    def end(self) -> int:
        return self.first + len(self.old)


def unified(changes: Iterable[FileChange], shown: Callable[[str], str] = str) -> bytes:
    """Return a diff that ``patch -p1`` and ``git apply`` take.

    Args:
        changes: what becomes of files.
        shown: how a path is called; a diff with paths that lead upwards is only for reading.
    """
    return b"".join(line for change in changes for line in _lines(change, shown(change.path)))


def _lines(change: FileChange, path: str) -> Iterator[bytes]:
    before = _split(change.before)
    yield b"--- " + _name("a/" + path) + b"\n"
    yield b"+++ " + _name("b/" + path) + b"\n"
    shift = 0
    for hunk in _hunks(_regions(change, before)):
        first = max(hunk[0].first - _CONTEXT_LINES, 0)
        end = min(hunk[-1].end + _CONTEXT_LINES, len(before))
        grown = sum(len(region.new) - len(region.old) for region in hunk)
        old, new = _range(first, end - first), _range(first + shift, end - first + grown)
        yield b"@@ -%s +%s @@\n" % (old, new)
        position = first
        for region in hunk:
            yield from _marked(b" ", before[position : region.first])
            yield from _marked(b"-", region.old)
            yield from _marked(b"+", region.new)
            position = region.end
        yield from _marked(b" ", before[position:end])
        shift += grown


def _regions(change: FileChange, lines: Sequence[bytes]) -> Iterator[_Region]:
    """Yield the lines that the edits touch, and what becomes of them, in order."""
    starts, offset = [], 0
    for line in lines:
        starts.append(offset)
        offset += len(line)
    edits = deque(change.edits)
    while edits:
        first = max(bisect_right(starts, edits[0].span.start) - 1, 0)
        last = first
        new, position = bytearray(), starts[first] if starts else 0
        # Edits of one line, or whose lines touch, make one region.
        while edits and bisect_right(starts, edits[0].span.start) - 1 <= last:
            edit = edits.popleft()
            new += change.before[position : edit.span.start] + edit.replacement
            position = edit.span.end
            last = max(last, bisect_right(starts, position) - 1)
        end = starts[last + 1] if last + 1 < len(starts) else len(change.before)
        new += change.before[position:end]
        region = _trimmed(_Region(first, lines[first : last + 1], _split(bytes(new))))
        if region.old or region.new:
            yield region


def _trimmed(region: _Region) -> _Region:
    old, new = list(region.old), list(region.new)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return _Region(region.first + head, old[head : len(old) - tail], new[head : len(new) - tail])


def _hunks(regions: Iterable[_Region]) -> Iterator[list[_Region]]:
    hunk: list[_Region] = []
    for region in regions:
        if hunk and region.first - hunk[-1].end > 2 * _CONTEXT_LINES:
            yield hunk
            hunk = []
        hunk.append(region)
    if hunk:
        yield hunk


def _marked(mark: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + (line if line.endswith(b"\n") else line + _NO_FINAL_NEWLINE)


def _range(first: int, length: int) -> bytes:
    if length == 0:
        return b"%d,0" % first
    return b"%d" % (first + 1) if length == 1 else b"%d,%d" % (first + 1, length)


def _name(path: str) -> bytes:
    """Return a name as git writes it: in quotes if anything in it is not printable."""
    if all(each.isprintable() and each not in '"\\' for each in path):
        return path.encode()
    quoted = (
        _QUOTED.get(each) or (each.encode() if each.isprintable() else _octal(os.fsencode(each)))
        for each in path
    )
    return b'"' + b"".join(quoted) + b'"'


def _octal(data: bytes) -> bytes:
    return b"".join(b"\\%03o" % byte for byte in data)


def _split(data: bytes) -> list[bytes]:
    # Only a line feed ends a line here: bytes.splitlines would cut at a lone carriage return.
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
