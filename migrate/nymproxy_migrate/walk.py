"""Going through a tree with the workers: which files there are, and what a job makes of each."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from nymproxy_migrate import reading
from nymproxy_migrate.model import SourceFile
from nymproxy_migrate.reading import Exclusion, Listing, Unreadable
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.workers import Failure, Pool, limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nymproxy_migrate.options import ScanOptions

_T = TypeVar("_T")
_Rules = tuple[str, ...] | None
_MOST_NAMED = 1000
"""How many of the files that are left when a limit is reached are named one by one."""


@dataclass(slots=True)
class Visit(Generic[_T]):
    """What became of the files below some paths.

    Attributes:
        results: what the job returned, by path, without ``None``; in the order of paths.
        unreadable: what was not read, in the order of paths.
        failed: files that the job was given up on, with the reason.
        files_read: how many files were read.
        left_out: how many files and folders were left out because the options say so.
    """

    results: dict[str, _T] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    failed: list[Unreadable] = field(default_factory=list)
    files_read: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What took all that one piece of work may take, so that no other visit tries it again.

    Attributes:
        files: the reason for each.
        folders: those that cannot even be listed without .gitignore files.
        rules: what was said where .gitignore files were first left out of account.
    """

    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, Unreadable] = field(default_factory=dict)
    rules: dict[_Rules, Unreadable] = field(default_factory=dict)

    def distrusts(self, rules: _Rules) -> bool:
        """Tell whether .gitignore files are among these that took too long without others, too."""
        some = rules or ()
        return rules in self.rules or any(
            some[:length] in self.rules for length in range(1, len(some))
        )


def refuse_what_is_no_path(paths: Iterable[Path]) -> None:
    """Refuse what cannot be gone through, before anything is said of it.

    Raises:
        Refused: a path does not exist, or is a pipe or a device.
    """
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise Refused(f"{path}: there is no such file or folder")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise Refused(f"{path}: it is no file or folder; `scan -` reads standard input")


def common_root(paths: Iterable[Path]) -> Path:
    """Return the folder that all paths share.

    Raises:
        Refused: there is none.
    """
    folders = [path if path.is_dir() else path.parent for path in map(Path.absolute, paths)]
    try:
        return Path(os.path.commonpath([os.path.normpath(folder) for folder in folders]))
    except ValueError:
        raise Refused("these paths are on different drives: name those of one alone") from None


def visit(
    paths: Sequence[Path],
    root: Path,
    job: Callable[[SourceFile], _T | None],
    options: ScanOptions,
    given_up: GivenUp | None = None,
) -> Visit[_T]:
    """Do a job with each file below some paths, once, in workers.

    Args:
        paths: files and folders; a file that is named is read even when it is ignored.
        root: what paths in the result are relative to.
        job: a function of a module, or a partial of one.
        options: how large a file may be, and what is left out.
        given_up: by earlier visits of the same paths; this one adds to it.
    """
    visitor = _Visitor(root, job, options, given_up or GivenUp())
    for path in paths:
        visitor.begin(path)
    visitor.run()
    found = cast("Visit[_T]", visitor.visit)
    found.results = dict(sorted(found.results.items(), key=lambda each: each[0].split("/")))
    found.unreadable.sort(key=lambda each: each.path.split("/"))
    return found


def sources(
    paths: Sequence[Path], root: Path, options: ScanOptions, suffixes: tuple[str, ...] = ("",)
) -> Visit[SourceFile]:
    """Read the files below some paths whose names have one of these ends."""
    return visit(paths, root, partial(_as_it_is, suffixes), options)


def _as_it_is(suffixes: tuple[str, ...], source: SourceFile) -> SourceFile | None:
    return source if source.name.endswith(suffixes) else None


@dataclass(frozen=True, slots=True)
class _Done(Generic[_T]):
    """What a worker made of a file; the result is None for most."""

    result: _T | None


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """A file that the options leave out."""


def _do(
    root: Path,
    size_limit: int,
    exclude: Exclusion | None,
    job: Callable[[SourceFile], _T | None],
    path: str,
) -> _Done[_T] | _LeftOut | Unreadable | None:
    if exclude is not None and exclude.holds(root, path):
        return _LeftOut()
    source = reading.read_file(root, size_limit, path)
    return _Done(job(source)) if isinstance(source, SourceFile) else source


class _Visitor:
    def __init__(
        self,
        root: Path,
        job: Callable[[SourceFile], object],
        options: ScanOptions,
        given_up: GivenUp,
    ) -> None:
        self.visit: Visit[object] = Visit(unreadable=list(given_up.rules.values()))
        # Links in the path of the root itself are the user's own; below it none is followed.
        self._root = Path(os.path.realpath(root))
        self._named = root
        self._pool = Pool()
        self._do = partial(_do, self._root, options.size_limit, options.exclude, job)
        self._exclude = options.exclude
        self._seconds, self._began = options.time_limit_seconds, time.monotonic()
        self._seen: set[str] = set()
        self._listers: dict[_Rules, Callable[[str], Listing]] = {}
        self._given_up = given_up

    def begin(self, path: Path) -> None:
        """Add a path that the user has named."""
        full = os.path.realpath(path)
        inside = reading.relative(full, str(self._root)).replace(os.sep, "/")
        if inside.startswith("../") or os.path.isabs(inside):
            named = reading.relative(os.path.abspath(path), str(self._named)).replace(os.sep, "/")
            self.visit.unreadable.append(Unreadable(named, "it is a link out of the tree"))
        elif os.path.isdir(full):
            inside = "" if inside == "." else inside
            self._list(inside, reading.rules_above(self._root, inside))
        else:
            self._read(inside)

    def run(self) -> None:
        """Do it all, or as much as the limits for all of it together allow."""
        for function, path, answer in self._pool:
            if function is self._do:
                self._take(path, answer)
            else:
                self._go_on(function, path, answer)
            reason = self._why_no_more()
            if reason is not None:
                self._leave(self._pool.give_up(), reason)

    def _why_no_more(self) -> str | None:
        if time.monotonic() - self._began > self._seconds:
            return f"all files together take more than {self._seconds:g} s (--time-limit)"
        if self._pool.answered_bytes > limits.TOTAL_ANSWER_BYTES:
            most = limits.TOTAL_ANSWER_BYTES >> 20
            return f"what is found in all files together takes more than {most} MiB"
        if len(self._seen) > limits.TOTAL_ENTRIES:
            return f"there are more than {limits.TOTAL_ENTRIES} files and folders"
        return None

    def _leave(self, tasks: Sequence[tuple[object, object]], reason: str) -> None:
        for _, path in tasks[:_MOST_NAMED]:
            self.visit.unreadable.append(Unreadable(str(path) or ".", reason))
        if len(tasks) > _MOST_NAMED:
            more = f"{len(tasks) - _MOST_NAMED} more files and folders are not, either"
            self.visit.unreadable.append(Unreadable(".", f"{more}: {reason}"))

    def _list(self, folder: str, rules: _Rules) -> None:
        if f"{folder}/" not in self._seen:
            self._seen.add(f"{folder}/")
            self._add(folder, rules)

    def _add(self, folder: str, rules: _Rules) -> None:
        if self._given_up.distrusts(rules):
            rules = None
        if rules is None and folder in self._given_up.folders:
            self.visit.unreadable.append(self._given_up.folders[folder])
            return
        if rules not in self._listers:
            self._listers[rules] = partial(reading.list_folder, self._root, self._exclude, rules)
        self._pool.add(self._listers[rules], folder)

    def _read(self, path: str) -> None:
        if path in self._seen:
            return
        self._seen.add(path)
        if path in self._given_up.files:
            self._take(path, Failure(self._given_up.files[path]))
        else:
            self._pool.add(self._do, path)

    def _take(self, path: str, answer: object) -> None:
        match answer:
            case Failure(reason, is_over_a_limit):
                if is_over_a_limit:
                    self._given_up.files[path] = reason
                self.visit.files_read += 1
                self.visit.failed.append(Unreadable(path, reason))
            case _LeftOut():
                self.visit.left_out += 1
            case Unreadable():
                self.visit.unreadable.append(answer)
            case _Done(result):
                self.visit.files_read += 1
                if result is not None:
                    self.visit.results[path] = result

    def _go_on(
        self, lister: Callable[[str], object], folder: str, listing: Listing | Failure
    ) -> None:
        rules = cast("partial[Listing]", lister).args[2]
        if isinstance(listing, Failure):
            self._give_up(folder, rules, listing.reason)
            return
        self.visit.unreadable += listing.problems
        self.visit.left_out += listing.left_out
        if listing.has_rules:
            rules = (*rules, str(self._root / folder))
        prefix = f"{folder}/" if folder else ""
        for name in listing.files:
            self._read(prefix + name)
        for name in listing.folders:
            self._list(prefix + name, rules)

    def _give_up(self, folder: str, rules: _Rules, reason: str) -> None:
        """Go on without the .gitignore files that a folder could not be listed with."""
        if rules is None:
            self._given_up.folders[folder] = Unreadable(folder or ".", reason)
            self.visit.unreadable.append(self._given_up.folders[folder])
            return
        if not self._given_up.distrusts(rules):
            said = f"what .gitignore files leave out here is searched: {reason}"
            self._given_up.rules[rules] = Unreadable(folder or ".", said)
            self.visit.unreadable.append(self._given_up.rules[rules])
        for each in (folder, *self._pool.withdraw(self._listers[rules])):
            self._add(each, rules)
