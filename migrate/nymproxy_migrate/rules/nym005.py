"""Commands whose program is brought by something else than the host's PATH."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.installing import INSTALL
from nymproxy_migrate.model import BinarySource, Kind
from nymproxy_migrate.rules._rule import Rule
from nymproxy_migrate.rules._started import kind_of, one_line, unreadable_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.judged import UnreadableCommand
    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.rules._started import Started

RULE = Rule(
    code="NYM005",
    kind=Kind.COMMAND_CLIENT,
    title="the old program comes from an image, a build stage or a lookup",
    why="Renaming the command alone would start a program that is not there.",
    next=(
        f"Install nymproxy in the image or stage (`{INSTALL}`) or point the lookup at it; then "
        "change the command, or let `--decide NYM005=rewrite` do that."
    ),
    example_before=(
        'FROM debian\nCOPY nym-proxy-client /usr/local/bin/\nCMD ["nym-proxy-client", "-s", '
        '"ADDRESS"]'
    ),
    choices=("keep", "rewrite"),
)

_ORIGINS = {
    BinarySource.IMAGE: "a container image",
    BinarySource.BUILD: "an image that is built here",
    BinarySource.LOOKED_UP: "a lookup when the command runs",
}


def looked_up(judged: UnreadableCommand, source: SourceFile) -> Finding:
    """Return where a program is looked up."""
    message = unreadable_part(judged)
    return RULE.finding(source, judged.command.span, message, kind=kind_of(judged), decision=())


def find(started: Started) -> Iterator[Finding]:
    """Yield where the program comes from, when renaming it here alone would not do."""
    invocation = started.invocation
    origin = _ORIGINS.get(invocation.command.context.binary)
    if origin is None:
        return
    message = f"the old {invocation.role} comes from {origin}"
    survey, path = started.options.survey, started.source.path
    image = survey.image_of(path)
    beside = [image[0]] if image is not None else []
    beside += [each for each in survey.installing if each != path]
    builders = list(dict.fromkeys(beside))[:3]
    if builders:
        message += f"; see {', '.join(builders)}"
    if started.new is not None:
        message += f"; once nymproxy is there, the command is: {one_line(started.new.text)}"
    yield RULE.finding(
        started.source,
        invocation.command.span,
        message,
        kind=kind_of(invocation),
    )
