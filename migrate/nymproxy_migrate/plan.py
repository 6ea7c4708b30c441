"""A plan: every edit as reviewable JSON, with digests, so that exactly it is applied or nothing.

The format is ``schemas/plan.schema.json``. Bytes that are not UTF-8 are given in Base64.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nymproxy._bounded_read import read_named
from nymproxy_migrate import targets, workers
from nymproxy_migrate.changes import FileChange, change, changes_of, left_for_a_human
from nymproxy_migrate.journal import digest
from nymproxy_migrate.model import Edit, Span
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.report.json import as_object

if TYPE_CHECKING:
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.scan import ScanResult

SCHEMA_VERSION = 1
_LARGEST_BYTES = 16 * 1024 * 1024
STANDARD_STREAM = Path("-")
"""Standard output for a plan that is made, standard input for one that is read."""


def render(result: ScanResult, options: ScanOptions, tool_version: str) -> str:
    """Return the plan for what a scan found."""
    return json.dumps(document(result, options, tool_version), indent=2) + "\n"


def document(result: ScanResult, options: ScanOptions, tool_version: str) -> dict[str, Any]:
    """Return the plan before it becomes text."""
    left = left_for_a_human(result.findings)
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": tool_version,
        "root": str(result.root),
        "options": {
            "docs": options.docs,
            "to": options.to,
            "decisions": dict(options.decisions),
        },
        "files": [file_entry(each) for each in changes_of(result)],
        "decisions": [
            {
                "code": each.code,
                "path": each.path,
                "line": as_object(each, result)["line"],
                "message": each.message,
                "choices": list(each.decision),
                "taken": options.decisions.get(each.code),
            }
            for each in result.findings
            if each.decision
        ],
        "left_for_a_human": [as_object(each, result) for each in left],
    }


class Read(NamedTuple):
    """A plan that was read and checked.

    Attributes:
        root: where the tree is.
        changes: what is still to be written.
        done: the files that are as the plan wants them already, with their bytes.
    """

    root: Path
    changes: list[FileChange]
    done: list[tuple[str, bytes]]


def read(path: Path, root: Path | None = None) -> Read:
    """Read a plan and check it against the files as they are now.

    Args:
        path: the plan; ``-`` is standard input.
        root: where the tree is; by default where it was when the plan was made, if that is the
            current folder or below it: a plan of somebody else has no say in where it is applied.

    Raises:
        Refused: it is no plan, or a file is not what the plan was made for.
    """
    try:
        given = workers.call(json.loads, _bytes_of(path))
        if isinstance(given, workers.Failure):
            raise ValueError(given.reason)
        if given["schema_version"] != SCHEMA_VERSION:
            raise Refused(f"{path}: made by another version of this tool; make the plan again")
        root = root or _root_of(path, given["root"])
        files = [_checked(entry) for entry in given["files"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(
            f"{path}: it is no plan of nymproxy-migrate; make one with `plan -o`"
        ) from error
    names = [entry["path"] for entry, _ in files]
    if len(set(names)) != len(names):
        raise Refused(f"{path}: it names a file twice")
    found = Read(root, [], [])
    with targets.opened(root) as tree:
        for entry, edits in files:
            data = targets.look(tree, entry["path"]).data
            if digest(data) == entry["result_sha256"]:
                found.done.append((entry["path"], data))
            else:
                found.changes.append(_change(data, entry, edits))
    return found


def _root_of(path: Path, root: str) -> Path:
    if not Path(root).resolve().is_relative_to(Path.cwd().resolve()):
        raise Refused(f"{path}: made for {root}, which is not below here; name the tree (--root)")
    return Path(root)


def _bytes_of(path: Path) -> bytes:
    if path != STANDARD_STREAM:
        return read_named(path, _LARGEST_BYTES)
    data = sys.stdin.buffer.read(_LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise ValueError("too large")
    return data


def file_entry(each: FileChange) -> dict[str, Any]:
    """Return one file of a plan, with its digests and edits."""
    edits = []
    for edit in each.edits:
        place: dict[str, Any] = {"start": edit.span.start, "end": edit.span.end}
        place |= _encoded("original", edit.span.of(each.before))
        edits.append(place | _encoded("replacement", edit.replacement))
    return {
        "path": each.path,
        "sha256": digest(each.before),
        "result_sha256": digest(each.after),
        "edits": edits,
    }


def _encoded(name: str, data: bytes) -> dict[str, str]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}


def _decoded(entry: dict[str, Any], name: str) -> bytes:
    if name in entry:
        text: str = entry[name]
        return text.encode()
    return base64.b64decode(entry[f"{name}_base64"], validate=True)


def _checked(entry: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[Edit, bytes]]]:
    if not all(isinstance(entry[key], str) for key in ("path", "sha256", "result_sha256")):
        raise TypeError("path and digests are strings")
    return entry, [
        (
            Edit(Span(edit["start"], edit["end"]), _decoded(edit, "replacement")),
            _decoded(edit, "original"),
        )
        for edit in entry["edits"]
    ]


def _change(data: bytes, entry: dict[str, Any], edits: list[tuple[Edit, bytes]]) -> FileChange:
    path: str = entry["path"]
    if digest(data) != entry["sha256"]:
        raise Refused(f"{path}: it has changed since the plan was made; make the plan again")
    new = change(path, data, [edit for edit, _ in edits])
    originals = all(edit.span.of(data) == original for edit, original in edits)
    if not originals or digest(new.after) != entry["result_sha256"]:
        raise Refused(f"{path}: the edits of the plan do not fit its digests; make it again")
    return new
