"""The record of runs: what each will write, and the originals, on disk before the first write.

In the state of a tree, ``runs/RUN/record`` names the files with digests before and after; a run
without it has written nothing. ``runs/RUN/rolled-back`` says that it has been undone. Nothing else
is recorded while files are written: the digests tell how far a run came.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from nymproxy._file_lock import lock_file
from nymproxy_migrate import targets
from nymproxy_migrate.durable import Place
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nymproxy_migrate.durable import DurableFiles
    from nymproxy_migrate.state import State

TEMPORARY_PREFIX = ".nymproxy-migrate-"
"""How the names of files begin that are about to take the place of others."""
SCHEMA_VERSION = 2
_RECORD = "record"
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
        entries: its files, in the order in which they are written.
        folder: where its record and the originals are.
    """

    name: str
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
    """The runs of one tree."""

    def __init__(self, state: State, files: DurableFiles) -> None:
        self._state = state
        self._runs = state.folder / "runs"
        self._files = files

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers of this tree out.

        Raises:
            Refused: another run is writing.
        """
        lock = lock_file(self._state.folder / "lock")
        if lock is None:
            raise Refused(f"{self._state.root}: another run is writing; wait for it")
        try:
            yield
        finally:
            lock.release()

    def begin(self, entries: Sequence[Entry], originals: Sequence[bytes]) -> Run:
        """Save the originals and the record of a run that may then write."""
        name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{time.time_ns() % 10**9:09}"
        name += f"-{secrets.token_hex(2)}"
        run = Run(name, tuple(entries), self._runs / name)
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
            self._create(run.folder / f"original-{index}", data)
        record = {
            "schema_version": SCHEMA_VERSION,
            "run": run.name,
            "root": str(self._state.root),
            "files": [asdict(entry) for entry in run.entries],
        }
        temporary = run.folder / "record.tmp"
        self._create(temporary, self._state.sealed(json.dumps(record, indent=2).encode() + b"\n"))
        self._files.replace(Place(str(temporary)), Place(str(run.folder / _RECORD)))

    def _create(self, path: Path, data: bytes) -> None:
        self._files.create(Place(str(path)), data, 0o600, None)

    def remove_leftovers(self, root: int) -> None:
        """Remove the temporary files of runs in this tree that were killed and are resumed now."""
        for name in self._names():
            try:
                run = self._read(name)
            except Refused:
                continue
            for index, entry in enumerate(run.entries):
                targets.remove_temporary(root, entry.path, run.temporary(index), self._files)

    def find(self, name: str | None) -> Run:
        """Return a run, by default the last one that has not been undone.

        Raises:
            Refused: there is none, or its record cannot be read.
        """
        names = self._names()
        open_names = [each for each in names if not (self._runs / each / _UNDONE).exists()]
        if name is None:
            if not open_names:
                raise Refused(f"{self._state.root}: there is no run to roll back")
            name = open_names[-1]
        elif name not in names:
            raise Refused(
                f"{self._state.root}: there is no run {name} that has written anything there"
            )
        elif name not in open_names:
            raise Refused(f"the run {name} has been rolled back already")
        return self._read(name)

    def listed(self) -> Iterator[tuple[Run, bool]]:
        """Yield the runs, the first one first, each with whether it has been undone."""
        for name in self._names():
            yield self._read(name), (self._runs / name / _UNDONE).exists()

    def _names(self) -> list[str]:
        return [each.parent.name for each in sorted(self._runs.glob(f"*/{_RECORD}"))]

    def _read(self, name: str) -> Run:
        try:
            record = json.loads(self._state.unsealed((self._runs / name / _RECORD).read_bytes()))
            if record["schema_version"] != SCHEMA_VERSION or record["run"] != name:
                raise Refused(f"the run {name} was made by another version of this tool")
            entries = tuple(Entry(**entry) for entry in record["files"])
            return Run(name, entries, self._runs / name)
        except (ValueError, LookupError, TypeError) as error:
            raise Refused(f"the record of the run {name} cannot be read") from error

    def mark_undone(self, run: Run) -> None:
        """Record that a run has been rolled back."""
        self._create(run.folder / _UNDONE, b"")
