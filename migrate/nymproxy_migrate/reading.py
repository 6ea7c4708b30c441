"""Reading a tree, as workers do it: what is in a folder, what is in a file.

Every file is opened by :mod:`nymproxy_migrate.folders`: below the root, without waiting, never
through a link, and only if it is a regular one; no more of it is read than a limit. Left alone are
version control, vendored trees, what .gitignore names, binaries, and symbolic links: those that
stay in the tree lead to files that are visited anyway, the others leave it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nymproxy_migrate import folders
from nymproxy_migrate.journal import TEMPORARY_PREFIX
from nymproxy_migrate.model import SourceFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pathspec import GitIgnoreSpec

    from nymproxy_migrate.folders import Folder

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
IGNORE_FILE = ".gitignore"

_CARGO_TARGET_MARK = "CACHEDIR.TAG"
_LOOKS_BINARY_BYTES = 8192
_DEEPEST = 200
_LARGEST_IGNORE_BYTES = 256 * 1024
_DROP_IN = re.compile(r"\.(?:service|socket|container)\.d/[^/]+\.conf$")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or folder that was not read, and why."""

    path: str
    reason: str
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What the user leaves out of a scan.

    Attributes:
        here: the folder that the patterns are read from, without links.
        patterns: lines as in a .gitignore.
    """

    here: str
    patterns: tuple[str, ...]

    def __post_init__(self) -> None:
        if self._spec is None:
            raise ValueError(f"no patterns: {', '.join(self.patterns)}")

    @property
    def _spec(self) -> GitIgnoreSpec | None:
        return _parsed("\n".join(self.patterns).encode("utf-8", "surrogateescape"))

    def holds(self, root: Path, path: str) -> bool:
        """Tell whether a path below a root is left out; one of a folder ends with a slash."""
        spec = self._spec
        name = relative(_joined(str(root), path), self.here)
        return spec is not None and spec.match_file(name + "/" if path.endswith("/") else name)


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a folder and is not left alone.

    Attributes:
        files: names of regular files, sorted.
        folders: names of folders, sorted.
        has_rules: there is a .gitignore that counts below.
        problems: what could not be read.
        left_out: how many entries the user leaves out.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    has_rules: bool = False
    problems: tuple[Unreadable, ...] = ()
    left_out: int = 0


# Folders.


def list_folder(
    root: Path, exclude: Exclusion | None, rules: Sequence[str] | None, path: str
) -> Listing:
    """Return what is in a folder.

    Args:
        root: the tree, an absolute path.
        exclude: what the user leaves out.
        rules: the folders whose .gitignore counts here, the outermost first, as absolute paths;
            None if no .gitignore counts, not even that of this folder.
        path: the folder, relative to the root.
    """
    where = PurePosixPath(path)
    if len(where.parts) > _DEEPEST:
        return Listing(problems=(Unreadable(path, f"it is below {_DEEPEST} other folders"),))
    try:
        with folders.opened(root) as tree, tree.below(where) as folder:
            entries = folder.entries()
            specs = [(each, _rules_in(root, tree, each)) for each in rules or ()]
            kept = entries
            if exclude is not None:
                kept = [each for each in entries if not _is_left_out(each, exclude, root, path)]
            listing = _listing(root, path, kept, folder, specs, use_own=rules is not None)
            return replace(listing, left_out=len(entries) - len(kept))
    except OSError as error:
        return Listing(problems=(Unreadable(path or ".", _said(error)),))


def _is_left_out(entry: os.DirEntry[str], exclude: Exclusion, root: Path, path: str) -> bool:
    name = _joined(path, entry.name)
    return exclude.holds(root, name + "/" if entry.is_dir(follow_symlinks=False) else name)


_Rules = tuple[str, "GitIgnoreSpec | None"]


def _listing(
    root: Path,
    path: str,
    entries: list[os.DirEntry[str]],
    folder: Folder,
    specs: list[_Rules],
    *,
    use_own: bool,
) -> Listing:
    files, below, problems = [], [], []
    has_rules = use_own and any(entry.name == IGNORE_FILE for entry in entries)
    if has_rules:
        try:
            specs = [*specs, (_joined(str(root), path), _parsed(_ignore_bytes(folder)))]
        except OSError as error:
            has_rules = False
            reason = f"what it leaves out is searched: {_said(error)}"
            problems.append(Unreadable(_joined(path, IGNORE_FILE), reason))
    for entry in entries:
        full = _joined(_joined(str(root), path), entry.name)
        if folder.is_link(entry) or entry.name.startswith(TEMPORARY_PREFIX) or entry.name == ".git":
            continue
        if entry.is_dir(follow_symlinks=False):
            is_left_alone = entry.name in VENDORED or _is_ignored(full + "/", specs)
            if not is_left_alone and not _is_cargo_target(entry.name, folder):
                below.append(entry.name)
        elif entry.is_file(follow_symlinks=False) and not _is_ignored(full, specs):
            files.append(entry.name)
    return Listing(tuple(files), tuple(below), has_rules, tuple(problems))


def _is_cargo_target(name: str, folder: Folder) -> bool:
    # Cargo marks its build folder, and so do other tools theirs.
    return name == "target" and folder.has(f"{name}/{_CARGO_TARGET_MARK}")


def _is_ignored(path: str, specs: Sequence[_Rules]) -> bool:
    # The innermost file that says something wins.
    for folder, spec in reversed(specs):
        if spec is None:
            continue
        result = spec.check_file(path[len(folder.rstrip("/")) + 1 :])
        if result.include is not None:
            return result.include
    return False


def rules_above(root: Path, path: str) -> tuple[str, ...]:
    """Return the folders whose .gitignore counts in a folder, down from the repository's root.

    Args:
        root: the tree; without a repository, only what is in it counts.
        path: the folder, relative to the root.
    """
    folder = root / path
    if (folder / ".git").exists():
        return ()
    above = []
    for parent in folder.parents:
        if os.path.lexists(parent / IGNORE_FILE):
            above.append(parent)
        if (parent / ".git").exists():
            break
    else:
        above = [each for each in above if each.is_relative_to(root)]
    return tuple(str(each) for each in reversed(above))


def _rules_in(root: Path, tree: Folder, path: str) -> GitIgnoreSpec | None:
    folder = Path(path)
    try:
        if folder.is_relative_to(root):
            with tree.below(PurePosixPath(folder.relative_to(root).as_posix())) as inside:
                return _parsed(_ignore_bytes(inside))
        with folders.opened(folder) as above:
            return _parsed(_ignore_bytes(above))
    except OSError:
        return None  # in the tree, this was said when its folder was listed


def _ignore_bytes(folder: Folder) -> bytes:
    file = folder.open_file(IGNORE_FILE)
    if file is None:
        raise OSError(0, "it is no regular file")
    with file:
        data = file.read(_LARGEST_IGNORE_BYTES + 1)
    if len(data) > _LARGEST_IGNORE_BYTES:
        raise OSError(0, f"larger than {_LARGEST_IGNORE_BYTES} bytes; nothing is left out by it")
    return data


@lru_cache(maxsize=256)
def _parsed(data: bytes) -> GitIgnoreSpec | None:
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore import GitIgnorePatternError

    try:
        return GitIgnoreSpec.from_lines(data.decode("utf-8", "surrogateescape").splitlines())
    except (GitIgnorePatternError, ValueError, re.error):
        return None


# Files.


def read_file(root: Path, size_limit: int, path: str) -> SourceFile | Unreadable | None:
    """Read one file; None when it is no text.

    Args:
        root: the tree.
        size_limit: largest file to read, in bytes.
        path: the file, relative to the root.
    """
    relative = PurePosixPath(path)
    try:
        with folders.opened(root) as tree, tree.below(relative.parent) as folder:
            found = _read(folder, path, relative.name, size_limit)
            if isinstance(found, SourceFile) and _DROP_IN.search(f"/{path}"):
                unit = _unit_of(tree, folder, relative, size_limit)
                return SourceFile(path, found.data, found.executable, unit)
            return found
    except OSError as error:
        return Unreadable(path, _said(error))


def _read(folder: Folder, path: str, name: str, size_limit: int) -> SourceFile | Unreadable | None:
    file = folder.open_file(name)
    if file is None:
        return None
    with file:
        mode = os.fstat(file.fileno()).st_mode
        data = file.read(size_limit + 1)
    if b"\0" in data[:_LOOKS_BINARY_BYTES]:
        return None
    if len(data) > size_limit:
        return Unreadable(path, f"larger than {size_limit} bytes", too_large=True)
    return SourceFile(path, data, bool(mode & 0o111))


def _unit_of(
    tree: Folder, folder: Folder, path: PurePosixPath, size_limit: int
) -> tuple[SourceFile, ...]:
    """Return the unit of a drop-in and all of its drop-ins, as far as they are in the tree."""
    found = []
    unit = PurePosixPath(str(path.parent).removesuffix(".d"))
    try:
        with tree.below(unit.parent) as above:
            found.append(_read(above, str(unit), unit.name, size_limit))
    except OSError:
        pass  # it need not be there
    for name in (each.name for each in folder.entries() if each.name.endswith(".conf")):
        try:
            found.append(_read(folder, str(path.parent / name), name, size_limit))
        except OSError:
            continue
    return tuple(SourceFile(each.path, each.data) for each in found if isinstance(each, SourceFile))


def relative(path: str, folder: str) -> str:
    """Return a path as one writes it from a folder; itself, if that is on another drive."""
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # Windows alone has drives
        return path


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _said(error: OSError) -> str:
    return error.strerror or type(error).__name__
