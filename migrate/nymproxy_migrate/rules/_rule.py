"""What a rule is: a stable code, what it means, and how to say so in a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Finding, Kind, Safety

if TYPE_CHECKING:
    from nymproxy_migrate.model import Edit, Evidence, SourceFile, Span


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the scan.

    Attributes:
        code: ``NYM001`` and so on; stable, never reused.
        kind: what its findings are about, unless a finding says otherwise.
        title: a few words for lists.
        why: why it matters, one or two sentences.
        next: what to do next.
        example_before: a piece of a file that it finds.
        example_after: what becomes of it; empty when nothing is rewritten.
        safety: how far its rewrite can be trusted, unless a finding says otherwise.
        action: what its findings are, unless a finding says otherwise.
        needs_human: somebody must look, unless a finding says otherwise.
        choices: what ``--decide CODE=choice`` takes, unless a finding says otherwise.
    """

    code: str
    kind: Kind
    title: str
    why: str
    next: str
    example_before: str
    example_after: str = ""
    safety: Safety = Safety.MANUAL
    action: Action = Action.REPORT
    needs_human: bool = True
    choices: tuple[str, ...] = ()

    def finding(
        self,
        source: SourceFile | str,
        span: Span,
        message: str,
        *,
        kind: Kind | None = None,
        why: str | None = None,
        next: str | None = None,  # noqa: A002 - the name of the public field
        action: Action | None = None,
        safety: Safety | None = None,
        needs_human: bool | None = None,
        edits: tuple[Edit, ...] = (),
        decision: tuple[str, ...] | None = None,
        needs: Evidence | None = None,
    ) -> Finding:
        """Return a finding of this rule; what is not given comes from the rule."""
        return Finding(
            path=source if isinstance(source, str) else source.path,
            span=span,
            code=self.code,
            kind=kind or self.kind,
            message=message,
            why=self.why if why is None else why,
            next=self.next if next is None else next,
            action=action or self.action,
            safety=safety or self.safety,
            needs_human=self.needs_human if needs_human is None else needs_human,
            edits=edits,
            decision=self.choices if decision is None else decision,
            needs=needs,
        )

    def explain(self) -> str:
        """Return the text of ``nymproxy-migrate explain CODE``."""
        parts = [
            f"{self.code}: {self.title} ({self.kind.value}, {self.safety.value})",
            self.why,
            f"What to do: {self.next}",
            "Example:\n" + _indented(self.example_before),
        ]
        if self.example_after:
            parts.append("becomes:\n" + _indented(self.example_after))
        parts.append(f"To keep it quiet in one place: a comment `nymproxy: ignore[{self.code}]`.")
        return "\n\n".join(parts) + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip("\n").split("\n"))
