"""Writing changes: everything is checked first, recorded next, and then written file by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate import state, targets
from nymproxy_migrate.durable import DurableFiles
from nymproxy_migrate.journal import Entry, Journal, Run, digest
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nymproxy_migrate.changes import FileChange


def apply(
    root: Path,
    changes: Sequence[FileChange],
    base: Path | None = None,
    files: DurableFiles | None = None,
) -> Run:
    """Write all changes, each file at once or not at all.

    Args:
        root: the tree.
        changes: at most one for each file.
        base: the state folder; None for the user's own.
        files: what changes the disk.

    Raises:
        Refused: a file cannot be replaced or is not what was judged. Found before the first
            write, this leaves everything as it was; found later, the message names the run that
            ``rollback`` undoes.
    """
    files = files or DurableFiles()
    with targets.opened(root) as tree:
        _check(tree, changes)
        try:
            journal = Journal(state.prepared(root, base, files), files)
            with journal.locked():
                return _apply(tree, changes, journal, files)
        except OSError as error:
            place = error.filename or root
            raise Refused(f"nothing is written: {place}: {error.strerror}") from error


def blocked(root: Path, changes: Sequence[FileChange]) -> dict[str, str]:
    """Return the files that cannot be replaced, and why: each blocks itself alone.

    Raises:
        Refused: nothing is written in this tree at all.
    """
    found = {}
    with targets.opened(root) as tree:
        for change in changes:
            try:
                _target_of(tree, change)
            except Refused as refusal:
                found[change.path] = str(refusal)
    return found


def _apply(tree: int, changes: Sequence[FileChange], journal: Journal, files: DurableFiles) -> Run:
    journal.remove_leftovers(tree)
    found = _check(tree, changes)
    entries = [
        Entry(change.path, target.mode, digest(change.before), digest(change.after))
        for change, target in zip(changes, found, strict=True)
    ]
    run = journal.begin(entries, [change.before for change in changes])
    written = 0
    try:
        for index, (change, target) in enumerate(zip(changes, found, strict=True)):
            temporary = run.temporary(index)
            targets.replace(tree, target, change.after, target.mode, temporary, files)
            written += 1
    except (Refused, OSError) as error:
        reason = error if isinstance(error, Refused) else error.strerror
        raise Refused(
            f"stopped after {written} of {len(changes)} files: {reason}; "
            f"undo it with `nymproxy-migrate rollback {run.name}`"
        ) from error
    return run


def _check(tree: int, changes: Sequence[FileChange]) -> list[targets.Target]:
    found, refusals = [], []
    for change in changes:
        try:
            found.append(_target_of(tree, change))
        except Refused as refusal:
            refusals.append(str(refusal))
    if refusals:
        raise Refused("nothing is written: " + "; ".join(refusals))
    return found


def _target_of(tree: int, change: FileChange) -> targets.Target:
    target = targets.look(tree, change.path)
    if target.data != change.before:
        raise Refused(f"{change.path}: it has changed since it was judged; run it again")
    return target
