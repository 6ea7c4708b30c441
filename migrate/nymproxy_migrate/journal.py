"""The record of runs: what each will write, and the originals, on disk before the first write.

``STATE/runs/RUN/run.json`` names the files with digests before and after; a run without it has
written nothing. ``STATE/runs/RUN/rolled-back`` says that it has been undone. Nothing else is
recorded while files are written: the digests tell how far a run came.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
import shutil
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nymproxy_migrate.durable import DurableFiles

STATE_FOLDER = ".nymproxy-migrate"
TEMPORARY_PREFIX = ".nymproxy-migrate-"
"""How the names of files begin that are about to take the place of others."""
SCHEMA_VERSION = 1
_RECORD = "run.json"
_UNDONE = "rolled-back"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a run.

    Attributes:
        path: relative to the root.
        mode: permission bits before the run, which the run keeps.
        before: SHA-256 of its bytes before the run.
        after: SHA-256 of what the run writes.
    """

    path: str
    mode: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        name: its id; ids sort by time.
        root: the tree that it changes.
        entries: its files, in the order in which they are written.
        folder: where its record and the originals are.
    """

    name: str
    root: Path
    entries: tuple[Entry, ...]
    folder: Path

    def original(self, index: int) -> bytes:
        """Return the bytes of a file before the run.

        Raises:
            Refused: the saved bytes are not those that were saved.
        """
        data = (self.folder / f"original-{index}").read_bytes()
        if digest(data) != self.entries[index].before:
            raise Refused(f"{self.folder}: the saved original {index} has been changed")
        return data

    def temporary(self, index: int) -> str:
        """Return the name of the file that takes the place of another."""
        return f"{TEMPORARY_PREFIX}{self.name}-{index}.tmp"


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class Journal:
    """The runs in one state folder."""

    def __init__(self, folder: Path, files: DurableFiles) -> None:
        self._folder = folder
        self._files = files

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers of this state folder out.

        Raises:
            Refused: another run is writing.
        """
        if self._folder.is_symlink():
            raise Refused(f"{self._folder}: it is a symbolic link; name its target (--state-dir)")
        self._files.make_folder(self._folder)
        ignore = self._folder / ".gitignore"
        if not ignore.exists():
            self._files.create(ignore, b"*\n", 0o644, None)
        with open(self._folder / "lock", "wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(f"{self._folder}: another run is writing; wait for it") from None
            yield

    def begin(self, root: Path, entries: Sequence[Entry], originals: Sequence[bytes]) -> Run:
        """Save the originals and the record of a run that may then write."""
        name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{time.time_ns() % 10**9:09}"
        name += f"-{secrets.token_hex(2)}"
        run = Run(name, root, tuple(entries), self._folder / "runs" / name)
        try:
            self._record(run, originals)
        except OSError:
            # Without its record it is no run: a disk that is full gets back what it took.
            shutil.rmtree(run.folder, ignore_errors=True)
            raise
        return run

    def _record(self, run: Run, originals: Sequence[bytes]) -> None:
        self._files.make_folder(run.folder)
        for index, data in enumerate(originals):
            self._files.create(run.folder / f"original-{index}", data, 0o600, None)
        record = {
            "schema_version": SCHEMA_VERSION,
            "run": run.name,
            "root": str(run.root),
            "files": [asdict(entry) for entry in run.entries],
        }
        temporary = run.folder / "run.tmp"
        self._files.create(temporary, json.dumps(record, indent=2).encode() + b"\n", 0o600, None)
        self._files.replace(temporary, run.folder / _RECORD)

    def remove_leftovers(self, root: Path) -> None:
        """Remove the temporary files of runs in this tree that were killed and are resumed now."""
        for record in (self._folder / "runs").glob(f"*/{_RECORD}"):
            try:
                run = self._read(record.parent.name)
            except Refused:
                continue
            for index, entry in enumerate(run.entries):
                left = (root / entry.path).with_name(run.temporary(index))
                if left.is_file():
                    self._files.remove(left)

    def find(self, name: str | None) -> Run:
        """Return a run, by default the last one that has not been undone.

        Raises:
            Refused: there is none, or its record cannot be read.
        """
        runs = self._folder / "runs"
        names = [each.parent.name for each in sorted(runs.glob(f"*/{_RECORD}"))]
        open_names = [each for each in names if not (runs / each / _UNDONE).exists()]
        if name is None:
            if not open_names:
                raise Refused(f"{self._folder}: there is no run to roll back")
            name = open_names[-1]
        elif name not in names:
            raise Refused(f"{self._folder}: there is no run {name} that has written anything")
        elif name not in open_names:
            raise Refused(f"the run {name} has been rolled back already")
        return self._read(name)

    def _read(self, name: str) -> Run:
        runs = self._folder / "runs"
        try:
            record = json.loads((runs / name / _RECORD).read_bytes())
            if record["schema_version"] != SCHEMA_VERSION:
                raise Refused(f"the run {name} was made by another version of this tool")
            entries = tuple(Entry(**entry) for entry in record["files"])
            return Run(name, Path(record["root"]), entries, runs / name)
        except (ValueError, LookupError, TypeError) as error:
            raise Refused(f"the record of the run {name} cannot be read") from error

    def mark_undone(self, run: Run) -> None:
        """Record that a run has been rolled back."""
        self._files.create(run.folder / _UNDONE, b"", 0o600, None)
