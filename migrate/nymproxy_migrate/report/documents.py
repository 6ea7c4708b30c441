"""The public JSON of ``rewrite``, ``rollback`` and ``explain``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nymproxy import __version__
from nymproxy_migrate import plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nymproxy_migrate.changes import FileChange
    from nymproxy_migrate.journal import Run
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.rules import Rule
    from nymproxy_migrate.scan import ScanResult

SCHEMA_VERSION = 1


def rewrite(result: ScanResult, options: ScanOptions, run: Run | None) -> str:
    """Return what is to be rewritten, or was: a plan with the run that has written it.

    Args:
        result: what was found.
        options: what was looked for.
        run: None when nothing was written.
    """
    document = plan.document(result, options, __version__)
    return _render({**document, "run": None if run is None else run.name})


def applied_plan(root: Path, changes: Sequence[FileChange], run: Run | None) -> str:
    """Return what was written of a plan; decisions and work for a human stand in the plan."""
    files = [plan.file_entry(change) for change in changes]
    return _render({"root": str(root), "files": files, "run": None if run is None else run.name})


def rollback(run: Run, root: Path, restored: int) -> str:
    """Return which files are back as they were before a run.

    Args:
        run: what was undone.
        root: where its tree is now.
        restored: how many files had to be written.
    """
    files = [{"path": entry.path, "sha256": entry.before} for entry in run.entries]
    return _render({"run": run.name, "root": str(root), "restored": restored, "files": files})


def explanation(rule: Rule) -> str:
    """Return what a rule means."""
    return _render(
        {
            "code": rule.code,
            "kind": rule.kind.value,
            "title": rule.title,
            "why": rule.why,
            "next": rule.next,
            "safety": rule.safety.value,
            "action": rule.action.value,
            "needs_human": rule.needs_human,
            "example_before": rule.example_before,
            "example_after": rule.example_after,
        }
    )


def _render(fields: dict[str, Any]) -> str:
    document = {"schema_version": SCHEMA_VERSION, "tool_version": __version__, **fields}
    return json.dumps(document, indent=2) + "\n"
