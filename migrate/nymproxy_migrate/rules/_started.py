"""An old command that can be read, as the rules about it see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.judged import OldInvocation, Role, UnreadableCommand
from nymproxy_migrate.model import Action, BinarySource, Kind, Safety, Span
from nymproxy_migrate.names import PYTHON_CALL
from nymproxy_migrate.rewrite.commands import (
    CannotRewrite,
    Rewrite,
    effective_config_dir,
    rewrite,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.rules._rule import Rule

_BY_HAND = "Write the new command by hand; `nymproxy-migrate explain` shows an example."


@dataclass(frozen=True, slots=True)
class Started:
    """An old command that can be read, and the new one.

    Attributes:
        invocation: the old one.
        source: its file.
        options: what the scan is asked for.
        new: the new one; None when it cannot be written here.
        obstacle: why it cannot.
    """

    invocation: OldInvocation
    source: SourceFile
    options: ScanOptions
    new: Rewrite | None = None
    obstacle: str = ""

    @classmethod
    def of(cls, invocation: OldInvocation, source: SourceFile, options: ScanOptions) -> Started:
        """Return a command with what it becomes."""
        try:
            return cls(invocation, source, options, rewrite(invocation, source.data, options))
        except CannotRewrite as error:
            reason = f"it cannot be rewritten in this place: {error}"
            return cls(invocation, source, options, None, reason)

    @property
    def in_python(self) -> bool:
        """It is a call in Python."""
        return self.invocation.command.context.format_name == PYTHON_CALL

    @property
    def directory(self) -> str | None:
        """The directory that the old server really uses, as far as it is known here."""
        return effective_config_dir(self.invocation)

    def span_of(self, name: str) -> Span:
        """Return the place of a flag with its value, or of the command when it has none."""
        flag = self.invocation.flag(name)
        if flag is None:
            return self.invocation.command.span
        last = flag.value or flag.flag_word
        return Span(flag.flag_word.span.start, last.span.end)

    def becomes(self, rule: Rule) -> Iterator[Finding]:
        """Yield what becomes of the command; nothing while its program is somebody else's."""
        context = self.invocation.command.context
        if context.binary not in {BinarySource.PATH, BinarySource.OWN_IMAGE} and (
            self.options.decisions.get("NYM005") != "rewrite"
        ):
            return
        what = f"this {context.format_name} starts the old {self.invocation.role}"
        if self.new is None:
            yield rule.finding(
                self.source,
                self.invocation.command.span,
                f"{what}; {self.obstacle}",
                action=Action.REPORT,
                safety=Safety.MANUAL,
                needs_human=True,
                next=_BY_HAND if rule.action is Action.REWRITE else None,
            )
            return
        becomes = f"{what}; it becomes: {one_line(self.new.text)}"
        message = "; ".join((becomes, *self.new.notes))
        span = self.invocation.command.span
        yield rule.finding(self.source, span, message, edits=self.new.edits)


def kind_of(judged: OldInvocation | UnreadableCommand) -> Kind:
    """Return what findings about a command are about."""
    if judged.command.context.format_name == PYTHON_CALL:
        return Kind.PYTHON_CALL
    return Kind.COMMAND_CLIENT if judged.role is Role.CLIENT else Kind.COMMAND_SERVER


def unreadable_part(judged: OldInvocation | UnreadableCommand) -> str:
    """Say what of a command cannot be read here."""
    if isinstance(judged, UnreadableCommand):
        return f"the program of this old {judged.role} is not readable here: {judged.reason}"
    what = ", ".join(judged.unreadable)
    return f"the arguments of this old {judged.role} are not readable here: {what}"


def one_line(text: str) -> str:
    """Return a command on one line."""
    return " ".join(text.replace("\\\n", " ").split())
