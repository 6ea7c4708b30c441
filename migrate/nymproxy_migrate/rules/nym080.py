"""Documents that show the old programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from nymproxy_migrate.model import Finding, SourceFile, Span

RULE = Rule(
    code="NYM080",
    kind=Kind.DOCS,
    title="a document shows an old command",
    why="Whoever follows the document starts a program that is not there any more.",
    next=(
        "Apply it with `nymproxy-migrate rewrite --docs --write`, and read the prose around it: "
        "only fenced blocks are searched."
    ),
    example_before="```sh\nnym-proxy-client -s ADDRESS\n```",
    example_after="```sh\nnymproxy client -s ADDRESS\n```",
    safety=Safety.SAFE,
    action=Action.REWRITE,
    needs_human=False,
)


def excerpt(source: SourceFile, span: Span) -> Finding:
    """Return an excerpt that names an old program and is no whole file of its language."""
    return RULE.finding(
        source,
        span,
        "in a document: this excerpt shows an old program, and is too short to be rewritten",
        action=Action.REPORT,
        safety=Safety.MANUAL,
        needs_human=True,
        next="Write the new command into the document by hand.",
    )


def in_document(finding: Finding) -> Finding:
    """Return a finding in an excerpt as one about the document."""
    return replace(
        finding,
        code=RULE.code,
        kind=RULE.kind,
        message=f"in a document: {finding.message}",
        why=RULE.why,
        next=RULE.next if finding.edits else finding.next,
    )
