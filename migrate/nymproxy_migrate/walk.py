"""Which files a scan reads: what belongs to the project, and nothing else.

Left alone are version control, vendored trees, what .gitignore names, binaries, and symbolic links:
those that stay in the tree lead to files that are visited anyway, the others leave it.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate.journal import TEMPORARY_PREFIX
from nymproxy_migrate.model import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pathspec import GitIgnoreSpec

VENDORED = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".bzr",
        ".nymproxy-migrate",
        "node_modules",
        "bower_components",
        "vendor",
        "third_party",
        "third-party",
        ".venv",
        "venv",
        "site-packages",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".terraform",
        ".cargo",
        ".rustup",
        ".gradle",
        ".idea",
        ".direnv",
    ]
)
_CARGO_TARGET_MARK = "CACHEDIR.TAG"
_LOOKS_BINARY_BYTES = 8192
_DROP_IN = re.compile(r"\.(?:service|socket|container)\.d/[^/]+\.conf$")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that was not read, and why."""

    path: str
    reason: str
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class _Ignore:
    """The rules of one .gitignore: they count below its folder."""

    folder: str
    spec: GitIgnoreSpec


def common_root(paths: Sequence[Path]) -> Path:
    """Return the folder that all paths share."""
    folders = [path if path.is_dir() else path.parent for path in map(Path.absolute, paths)]
    return Path(os.path.commonpath([os.path.normpath(folder) for folder in folders]))


def walk(paths: Sequence[Path], root: Path, size_limit: int) -> Iterator[SourceFile | Unreadable]:
    """Yield the files below some paths, each once, in a stable order.

    Args:
        paths: files and folders; a file that is named is read even when it is ignored.
        root: what the paths in the result are relative to.
        size_limit: largest file to read, in bytes.
    """
    seen: set[str] = set()
    for path in paths:
        full = os.path.normpath(path.absolute())
        entries: Iterator[str | Unreadable]
        if os.path.islink(full) and not _inside(full, root):
            entries = iter([Unreadable(_relative(full, root), "it is a link out of the tree")])
        elif os.path.isdir(full):
            entries = _files_below(full, _ignores_above(full, root), root)
        else:
            entries = iter([full])
        for entry in entries:
            if isinstance(entry, Unreadable):
                yield entry
            elif entry not in seen:
                seen.add(entry)
                found = read(entry, root, size_limit)
                if found is not None:
                    yield found


def read(full: str, root: Path, size_limit: int) -> SourceFile | Unreadable | None:
    """Read one file; None when it is not text."""
    path = _relative(full, root)
    try:
        # Non-blocking: opening a pipe must not wait for its other end.
        with open(os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            if status.st_size > size_limit:
                head = file.read(_LOOKS_BINARY_BYTES)
                if b"\0" in head:
                    return None
                return Unreadable(path, f"larger than {size_limit} bytes", too_large=True)
            data = file.read(size_limit + 1)
    except OSError as error:
        return Unreadable(path, error.strerror or type(error).__name__)
    if b"\0" in data[:_LOOKS_BINARY_BYTES]:
        return None
    unit = _unit_of(full, root, size_limit) if _DROP_IN.search(full) else ()
    return SourceFile(path, data, bool(status.st_mode & 0o111), unit)


def _unit_of(full: str, root: Path, size_limit: int) -> tuple[SourceFile, ...]:
    """Return the unit of a drop-in and all of its drop-ins, as far as they are in the tree."""
    folder = os.path.dirname(full)
    beside = sorted(name for name in os.listdir(folder) if name.endswith(".conf"))
    paths = [folder.removesuffix(".d"), *(os.path.join(folder, name) for name in beside)]
    return tuple(
        SourceFile(_relative(path, root), _bytes_of(path, size_limit))
        for path in paths
        if os.path.isfile(path) and not os.path.islink(path) and _inside(path, root)
    )


def _bytes_of(path: str, size_limit: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(size_limit)
    except OSError:
        return b""


def _files_below(folder: str, ignores: list[_Ignore], root: Path) -> Iterator[str | Unreadable]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Unreadable(_relative(folder, root), error.strerror or type(error).__name__)
        return
    names = {entry.name for entry in entries}
    if ".gitignore" in names:
        spec = _read_ignore(os.path.join(folder, ".gitignore"))
        if spec is not None:
            ignores = [*ignores, _Ignore(folder, spec)]
    for entry in entries:
        if entry.is_symlink() or entry.name.startswith(TEMPORARY_PREFIX):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not _is_vendored(entry, ignores):
                yield from _files_below(entry.path, ignores, root)
        elif entry.is_file(follow_symlinks=False) and not _is_ignored(entry.path, False, ignores):
            yield entry.path


def _is_vendored(entry: os.DirEntry[str], ignores: list[_Ignore]) -> bool:
    if entry.name in VENDORED or _is_ignored(entry.path, True, ignores):
        return True
    # Cargo marks its build folder, and so do other tools theirs.
    return entry.name == "target" and os.path.exists(os.path.join(entry.path, _CARGO_TARGET_MARK))


def _is_ignored(path: str, is_folder: bool, ignores: list[_Ignore]) -> bool:
    # The innermost file that says something wins.
    for ignore in reversed(ignores):
        relative = path[len(ignore.folder) + 1 :] + ("/" if is_folder else "")
        result = ignore.spec.check_file(relative)
        if result.include is not None:
            return result.include
    return False


def _ignores_above(folder: str, root: Path) -> list[_Ignore]:
    """Return the rules of the folders between the repository's root and a folder."""
    above = []
    for parent in Path(folder).parents:
        ignore = _read_ignore(str(parent / ".gitignore"))
        if ignore is not None:
            above.append(_Ignore(str(parent).rstrip("/"), ignore))
        if (parent / ".git").exists():
            break
    else:
        above = [ignore for ignore in above if Path(ignore.folder).is_relative_to(root)]
    if (Path(folder) / ".git").exists():
        return []
    return above[::-1]


def _read_ignore(path: str) -> GitIgnoreSpec | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore import GitIgnorePatternError

    try:
        return GitIgnoreSpec.from_lines(lines)
    except (GitIgnorePatternError, ValueError):
        return None


def _inside(path: str, root: Path) -> bool:
    return Path(path).resolve().is_relative_to(root.resolve())


def _relative(full: str, root: Path) -> str:
    return os.path.relpath(full, root).replace(os.sep, "/")
