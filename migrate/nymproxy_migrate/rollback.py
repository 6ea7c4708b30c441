"""Undoing a run: bytes and modes come back, unless somebody has changed the files since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate import state, targets
from nymproxy_migrate.durable import DurableFiles
from nymproxy_migrate.journal import Journal, Run, digest
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from pathlib import Path


def roll_back(
    root: Path,
    name: str | None = None,
    *,
    base: Path | None = None,
    moved_from: Path | None = None,
    keep: frozenset[str] = frozenset(),
    files: DurableFiles | None = None,
) -> tuple[Run, int]:
    """Undo a run, also one that was killed while it wrote or while it was undone.

    Args:
        root: where the tree is now.
        name: the run; by default the last one that has not been undone.
        base: the state folder; None for the user's own.
        moved_from: where the tree was, if somewhere else.
        keep: files of the run that stay as they are, whatever has become of them.
        files: what changes the disk.

    Returns:
        The run, and how many files were restored.

    Raises:
        Refused: there is no such run, or a file is not what the run found or wrote; then nothing
            is restored.
    """
    files = files or DurableFiles()
    journal = _journal(moved_from or root, base, files)
    with targets.opened(root) as tree, journal.locked():
        run = journal.find(name)
        unknown = keep - {entry.path for entry in run.entries}
        if unknown:
            raise Refused(f"{min(unknown)}: it is no file of the run {run.name}")
        found = _check(run, tree, keep)
        restored = 0
        for index, target in found.items():
            entry = run.entries[index]
            targets.remove_temporary(tree, entry.path, run.temporary(index), files)
            if digest(target.data) != entry.before or target.mode != entry.mode:
                original = run.original(index)
                targets.replace(tree, target, original, entry.mode, run.temporary(index), files)
                restored += 1
        journal.mark_undone(run)
    return run, restored


def runs(root: Path, base: Path | None = None) -> list[tuple[Run, bool]]:
    """Return the runs of a tree, the first one first, each with whether it has been undone.

    Raises:
        Refused: there is none, or a record cannot be read.
    """
    return list(_journal(root, base, DurableFiles()).listed())


def _journal(root: Path, base: Path | None, files: DurableFiles) -> Journal:
    known = state.existing(root, base)
    if known is None:
        raise Refused(
            f"{root}: there is no run to roll back; name the tree (--root), and where it was if "
            "it has been moved (--moved-from)"
        )
    return Journal(known, files)


def _check(run: Run, tree: int, keep: frozenset[str]) -> dict[int, targets.Target]:
    """Return the files to restore, by their place in the run."""
    found, refusals = {}, []
    for index, entry in enumerate(run.entries):
        if entry.path in keep:
            continue
        try:
            target = targets.look(tree, entry.path)
            if digest(target.data) not in {entry.before, entry.after}:
                raise Refused(f"{entry.path}: it has been changed since the run wrote it")
            run.original(index)
            found[index] = target
        except Refused as refusal:
            refusals.append(str(refusal))
    if refusals:
        raise Refused(
            f"nothing is restored: {'; '.join(refusals)}. To go on without them, give --keep FILE "
            f"for each; the originals are in {run.folder}"
        )
    return found
