"""What the subcommands do: scan, report, count; returns exit codes."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nymproxy import __version__
from nymproxy._printable import printable, printable_lines
from nymproxy.cli.root import NEEDS_POSIX, is_windows
from nymproxy_migrate import diff, formats, names, outputs, plan, rollback, rules, schemas
from nymproxy_migrate.apply import apply, blocked
from nymproxy_migrate.changes import changes_of, left_for_a_human
from nymproxy_migrate.cli.installed import check_program, installed
from nymproxy_migrate.cli.shared import OUTPUT
from nymproxy_migrate.model import Action
from nymproxy_migrate.options import DEFAULT_SIZE_LIMIT, ScanOptions, Target
from nymproxy_migrate.reading import Exclusion
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.report import documents, github, sarif, text
from nymproxy_migrate.report import json as json_report
from nymproxy_migrate.report.layout import PAGE_COLUMNS, paragraphs, wrapped
from nymproxy_migrate.rules import nym094
from nymproxy_migrate.scan import ScanResult, from_here, in_order
from nymproxy_migrate.scan import scan as scan_paths
from nymproxy_migrate.state import OLD_STATE_FOLDER
from nymproxy_migrate.walk import refuse_what_is_no_path
from nymproxy_migrate.workers.limits import TOTAL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy_migrate.changes import FileChange
    from nymproxy_migrate.journal import Run

STANDARD_INPUT = Path("-")


def options_of(
    paths: Sequence[Path],
    *,
    docs: bool = False,
    exclude: Sequence[str] | None = None,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    time_limit: float | None = None,
    to: Target = "auto",
    decide: Sequence[str] | None = None,
    program: str | None = None,
    stream_servers: Sequence[str] | None = None,
) -> ScanOptions:
    """Return the options of a scan.

    Raises:
        Refused: a decision, a code or an address that does not exist, a pattern that is none, or
            a program without its folder.
    """
    check_program(program)
    for address in stream_servers or ():
        if not names.is_nym_address(address):
            raise Refused(f"--stream-server {address}: that is no Nym address")
    return ScanOptions(
        docs=docs,
        to=to,
        decisions=dict(map(_decision, decide or ())),
        program=program,
        installed=installed(paths),
        stream_servers=frozenset(stream_servers or ()),
        exclude=_exclusion(exclude or ()),
        select=_codes("--select", select or ()),
        ignore=_codes("--ignore", ignore or ()),
        time_limit_seconds=TOTAL_SECONDS if time_limit is None else time_limit,
    )


def _exclusion(patterns: Sequence[str]) -> Exclusion | None:
    try:
        return Exclusion(os.path.realpath(Path.cwd()), tuple(patterns)) if patterns else None
    except ValueError as error:
        raise Refused(f"--exclude: {error}") from None


def _codes(flag: str, given: Sequence[str]) -> tuple[str, ...]:
    for each in given:
        if not any(code.startswith(each.upper()) for code in rules.RULES):
            raise Refused(f"{flag} {each}: no code begins so; see `nymproxy-migrate explain`")
    return tuple(each.upper() for each in given)


def _decision(text: str) -> tuple[str, str]:
    code, _, choice = text.partition("=")
    deciding = {each.code: each.choices for each in rules.RULES.values() if each.choices}
    choices = deciding.get(code.upper())
    if choices is None:
        raise Refused(f"--decide {text}: decisions are {', '.join(deciding)}")
    if choice not in choices:
        raise Refused(f"--decide {text}: choices of {code} are {', '.join(choices)}")
    return code.upper(), choice


def look(paths: Sequence[Path], options: ScanOptions) -> ScanResult:
    """Scan some paths, by default the current folder.

    Raises:
        Refused: a path does not exist, or is a pipe or a device.
    """
    refuse_what_is_no_path(paths)
    return scan_paths(paths or [Path()], options, root=_root_of(paths))


def _root_of(paths: Sequence[Path]) -> Path | None:
    """Return the current folder when everything is in it: paths are shown from where one stands."""
    here = Path.cwd()
    below = all(Path(os.path.abspath(path)).is_relative_to(here) for path in paths)
    return here if below else None


def scan(
    paths: Sequence[Path],
    options: ScanOptions,
    *,
    form: str,
    live: bool = False,
    stdin_name: str | None = None,
) -> int:
    """Report the findings; 1 if any of them is more than information."""
    if STANDARD_INPUT in paths:
        result = _of_standard_input(paths, options, name=stdin_name)
    elif live:
        if is_windows():
            raise Refused(f"scan --live {NEEDS_POSIX}")
        from nymproxy_migrate.cli import live as live_scan

        found = look(paths, options) if paths else None
        result = live_scan.with_processes(found)
    else:
        result = look(paths, options)
    sys.stdout.write(_report(result, form))
    return int(any(finding.action is not Action.INFO for finding in result.findings))


def _of_standard_input(
    paths: Sequence[Path], options: ScanOptions, *, name: str | None
) -> ScanResult:
    """Scan standard input as a file of its own.

    Raises:
        Refused: it is not alone, or its name is a path that leads elsewhere.
    """
    if len(paths) > 1:
        raise Refused("- is standard input, and goes without other paths")
    data = sys.stdin.buffer.read(DEFAULT_SIZE_LIMIT + 1)
    if name is None:
        name = "stdin" if formats.format_of("stdin", data) else "stdin.sh"
    if name != PurePosixPath(name).name or name in {"", ".", ".."}:
        raise Refused(f"--stdin-name {name}: a name without folders, Dockerfile say")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_bytes(data)
        return scan_paths([file], replace(options, installed=installed([file])))


def _report(result: ScanResult, form: str) -> str:
    match form:
        case "json":
            return json_report.render(result, __version__)
        case "sarif":
            return sarif.render(result, __version__)
        case "github":
            return github.render(result)
        case _:
            output = OUTPUT.get()
            return text.render(result, output.out, quiet=output.quiet)


def explain(code: str | None, *, as_json: bool) -> None:
    """Print what a rule means, or which rules there are.

    Raises:
        Refused: there is no such rule.
    """
    if code is None:
        known = rules.RULES.values()
        if as_json:
            sys.stdout.write("".join(map(documents.explanation, known)))
        else:
            columns = OUTPUT.get().out.columns or PAGE_COLUMNS
            sys.stdout.write("".join(_in_index(each, columns) for each in known))
            sys.stdout.write("\n`nymproxy-migrate explain CODE` says what to do about one.\n")
        return
    if code.upper() not in rules.RULES:
        raise Refused(f"{code}: no such code; there are {', '.join(rules.RULES)}")
    if as_json:
        sys.stdout.write(documents.explanation(rules.RULES[code.upper()]))
    else:
        columns = OUTPUT.get().out.columns or PAGE_COLUMNS
        sys.stdout.write(paragraphs(rules.explain(code), columns))


def _in_index(rule: rules.Rule, columns: int) -> str:
    choices = f" (--decide {rule.code}={'|'.join(rule.choices)})" if rule.choices else ""
    return wrapped(f"{rule.title}{choices}", columns, f"{rule.code}  ", " " * 8)


def rewrite(paths: Sequence[Path], options: ScanOptions, *, as_json: bool) -> int:
    """Show the diff; 1 if there is one, or work left for a human."""
    result = without_blocked(look(paths, options), options)
    changes = changes_of(result)
    if as_json:
        sys.stdout.write(documents.rewrite(result, options, None))
    else:
        write_bytes(diff.unified(changes, result.shown))
    return int(say_what_is_left(result) or bool(changes))


def write(
    paths: Sequence[Path],
    options: ScanOptions,
    state: Path | None,
    *,
    strict: bool,
    as_json: bool,
) -> int:
    """Write all rewrites; 1 if work is left for a human, or a file cannot be written.

    Args:
        paths: what is scanned.
        options: of the scan.
        state: the state folder; None for the user's own.
        strict: write nothing if any file cannot be written.
        as_json: report as JSON.
    """
    result = look(paths, options)
    if not strict:
        result = without_blocked(result, options)
    changes = changes_of(result)
    run = apply_changes(result.root, changes, state)
    if as_json:
        sys.stdout.write(documents.rewrite(result, options, run))
    else:
        say_what_was_done(result.root, changes, run, state)
    return int(say_what_is_left(result))


def without_blocked(result: ScanResult, options: ScanOptions) -> ScanResult:
    """Return a result in which each file that cannot be written has a finding that says so.

    Raises:
        Refused: nothing is written in this tree at all.
    """
    changes = changes_of(result)
    reasons = blocked(result.root, changes) if changes else {}
    places = {each.path: each.edits[0].span for each in changes}
    found = [nym094.find(path, places[path], reason) for path, reason in reasons.items()]
    findings = sorted(
        [*result.findings, *(each for each in found if options.wants(each.code))], key=in_order
    )
    return replace(result, findings=tuple(findings), blocked=frozenset(reasons))


def apply_changes(root: Path, changes: Sequence[FileChange], state: Path | None) -> Run | None:
    """Write changes; return the run, or None if there is nothing to write."""
    say_what_is_not_trusted(root)
    return apply(root, changes, state) if changes else None


def say_what_is_not_trusted(root: Path) -> None:
    """Say on stderr what becomes of the runs that an earlier version recorded in the tree."""
    if os.path.lexists(root / OLD_STATE_FOLDER):
        sys.stderr.write(
            f"{OLD_STATE_FOLDER}: made in the tree by an earlier version or by somebody else; it "
            "is neither read nor changed. Its runs are not rolled back any more: the originals are "
            "in its folder runs, and it can be deleted\n"
        )


def say_what_was_done(
    root: Path, changes: Sequence[FileChange], run: Run | None, state: Path | None
) -> None:
    """Name the files that were written, and how to undo it."""
    if run is None:
        sys.stdout.write("nothing to rewrite\n")
        return
    where = f" --root {shlex.quote(str(root))}" if root != Path.cwd() else ""
    if state is not None:
        where += f" --state-dir {shlex.quote(str(state))}"
    if not OUTPUT.get().quiet:
        written = (f"rewritten: {printable(from_here(root, each.path))}\n" for each in changes)
        sys.stdout.write("".join(written))
        sys.stdout.write(f"the originals are in {printable(str(run.folder))}\n")
    sys.stdout.write(f"undo it with: nymproxy-migrate rollback {run.name}{where}\n")


def make_plan(output: Path, paths: Sequence[Path], options: ScanOptions) -> int:
    """Write a plan; 1 if work is left for a human."""
    result = without_blocked(look(paths, options), options)
    text_of_plan = plan.render(result, options, __version__)
    if output == plan.STANDARD_STREAM:
        sys.stdout.write(text_of_plan)
    else:
        outputs.write(output, text_of_plan.encode())
        sys.stdout.write(f"{output}: {len(changes_of(result))} files to rewrite\n")
    return int(say_what_is_left(result))


def write_plan(path: Path, root: Path | None, state: Path | None, *, as_json: bool) -> int:
    """Write what a plan says and is not yet so; 0, as what is left for a human stands in it."""
    found = plan.read(path, root and Path.absolute(root))
    if found.done and found.changes:
        sys.stderr.write(f"{len(found.done)} files are as the plan wants them already\n")
    run = apply_changes(found.root, found.changes, state)
    if as_json:
        sys.stdout.write(documents.applied_plan(found.root, found.changes, run))
    else:
        say_what_was_done(found.root, found.changes, run, state)
    return 0


def roll_back(
    name: str | None,
    root: Path,
    state: Path | None,
    moved_from: Path | None,
    *,
    keep: Sequence[str],
    as_json: bool,
) -> None:
    """Undo a run and say so."""
    root = Path.absolute(root)
    say_what_is_not_trusted(root)
    kept = frozenset(PurePosixPath(each).as_posix() for each in keep)
    run, restored = rollback.roll_back(root, name, base=state, moved_from=moved_from, keep=kept)
    if as_json:
        sys.stdout.write(documents.rollback(run, root, restored))
    else:
        sys.stdout.write(f"rolled back {run.name}: {restored} files restored\n")


def list_runs(root: Path, state: Path | None) -> None:
    """Print a line for each run of a tree: its files, whether it is undone, its originals."""
    for run, is_undone in rollback.runs(Path.absolute(root), state):
        undone = ", rolled back" if is_undone else ""
        sys.stdout.write(
            f"{run.name}: {len(run.entries)} files{undone}; originals in {run.folder}\n"
        )


def schema(name: str) -> None:
    """Print the schema of a subcommand's JSON.

    Raises:
        Refused: there is none of that name.
    """
    try:
        sys.stdout.write(schemas.text(name))
    except KeyError:
        raise Refused(f"{name}: no such schema; there are {', '.join(schemas.names())}") from None


def say_what_is_left(result: ScanResult) -> bool:
    """List on stderr what a human must do or know; tell whether anything is to be done."""
    left = left_for_a_human(result.findings)
    output = OUTPUT.get()
    decisions = [each for each in result.findings if each.decision and each not in left]
    shown = sorted([*left, *decisions], key=in_order)
    if output.quiet:
        shown = [each for each in shown if text.is_decision(each)]
    sys.stderr.write(text.lines(shown, result, output.err))
    return bool(left)


def write_bytes(data: bytes) -> None:
    """Write to stdout what need not be UTF-8; a terminal gets nothing that steers it."""
    if sys.stdout.isatty():
        data = printable_lines(data)
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
