"""Commands whose name or arguments are only known when they run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.judged import Role, UnreadableCommand
from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule
from nymproxy_migrate.rules._started import kind_of, unreadable_part

if TYPE_CHECKING:
    from nymproxy_migrate.judged import OldInvocation
    from nymproxy_migrate.model import Finding, SourceFile

RULE = Rule(
    code="NYM004",
    kind=Kind.COMMAND_CLIENT,
    title="an old command that cannot be read here",
    why=(
        "The program or its arguments come from a variable, eval or template, so a rewrite would "
        "be a guess."
    ),
    next=(
        "Find where the value is set and change it there to `nymproxy client` or `nymproxy server`."
    ),
    example_before='BIN=/opt/nym/nym-proxy-client\n"$BIN" -s ADDRESS',
)

_NEW = {
    Role.CLIENT: "nymproxy client",
    Role.SERVER: "nymproxy server --accept legacy,stream --compat-config-dir",
}
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


def find(judged: OldInvocation | UnreadableCommand, source: SourceFile) -> Finding:
    """Return what cannot be read of a command, and where it is set."""
    message, advice = unreadable_part(judged), None
    if not isinstance(judged, UnreadableCommand):
        message += _where_set(judged, source)
        advice = (
            f"Put `{_NEW[judged.role]}` in the place of the program. The arguments can stay where "
            f"they are set, if each flag there is spelled as in `nymproxy {judged.role} --help` "
            "(no underscores, no -s=VALUE)."
        )
    return RULE.finding(source, judged.command.span, message, kind=kind_of(judged), next=advice)


def _where_set(judged: OldInvocation, source: SourceFile) -> str:
    """Say in which lines of the file the variables among the arguments get their values."""
    names = dict.fromkeys(
        name for each in judged.unreadable for name in _VARIABLE.findall(each) if name.strip("_")
    )
    told = []
    for name in names:
        sets = re.compile(rb"(?m)^[^#\n]*?(?<![\w$])" + name.encode() + rb"\+?=")
        lines = [source.position(each.end())[0] for each in sets.finditer(source.data)]
        if lines:
            told.append(f"{name} is set in line {', '.join(map(str, dict.fromkeys(lines)))}")
    return f" ({'; '.join(told)})" if told else ""
