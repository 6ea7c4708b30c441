"""Undoing a run: bytes and modes come back, unless somebody has changed the files since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate import targets
from nymproxy_migrate.durable import DurableFiles
from nymproxy_migrate.journal import Journal, Run, digest
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from pathlib import Path


def roll_back(
    state: Path,
    name: str | None = None,
    *,
    root: Path | None = None,
    files: DurableFiles | None = None,
) -> tuple[Run, int]:
    """Undo a run, also one that was killed while it wrote or while it was undone.

    Args:
        state: the folder of the journal.
        name: the run; by default the last one that has not been undone.
        root: where the tree is now; by default where it was.
        files: what changes the disk.

    Returns:
        The run, and how many files were restored.

    Raises:
        Refused: there is no such run, or a file is not what the run found or wrote; then nothing
            is restored.
    """
    files = files or DurableFiles()
    journal = Journal(state, files)
    if not state.is_dir():
        raise Refused(f"{state}: there is no run to roll back; name the tree (--root)")
    with journal.locked():
        run = journal.find(name)
        root = root or run.root
        found = _check(run, root)
        restored = 0
        for index, (entry, target) in enumerate(zip(run.entries, found, strict=True)):
            files.remove(target.full.with_name(run.temporary(index)))
            if digest(target.data) != entry.before or target.mode != entry.mode:
                original = run.original(index)
                targets.replace(target, original, entry.mode, run.temporary(index), files)
                restored += 1
        journal.mark_undone(run)
    return run, restored


def _check(run: Run, root: Path) -> list[targets.Target]:
    found, refusals = [], []
    for index, entry in enumerate(run.entries):
        try:
            target = targets.look(root, entry.path)
            if digest(target.data) not in {entry.before, entry.after}:
                raise Refused(f"{entry.path}: it has been changed since the run wrote it")
            run.original(index)
            found.append(target)
        except Refused as refusal:
            refusals.append(str(refusal))
    if refusals:
        raise Refused("nothing is restored: " + "; ".join(refusals))
    return found
