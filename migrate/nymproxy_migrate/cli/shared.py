"""The flags that every subcommand takes, wherever they stand, and how they shape the output."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.report.style import PLAIN, Style

if TYPE_CHECKING:
    from collections.abc import Sequence

FLAGS = {
    "--debug": "debug",
    "--no-color": "no-color",
    "--quiet": "quiet",
    "-q": "quiet",
    "--show-settings": "show-settings",
    "--verbose": "verbose",
    "-v": "verbose",
}

SETTABLE = ("no-color", "quiet", "verbose")
"""Those that the environment and the settings file may turn on, too."""


@dataclass(frozen=True, slots=True)
class Output:
    """How to talk.

    Attributes:
        quiet: only results; decisions about linkability are shown in any case.
        out: the style of standard output.
        err: the style of standard error.
    """

    quiet: bool = False
    out: Style = PLAIN
    err: Style = PLAIN


COMMAND: ContextVar[str] = ContextVar("COMMAND", default="")
"""What was typed, for whoever wants to do the same again."""

OUTPUT: ContextVar[Output] = ContextVar("OUTPUT", default=Output())  # noqa: B039 - it is frozen


def take(arguments: Sequence[str]) -> tuple[set[str], list[str]]:
    """Return the shared flags that are given, and the other arguments."""
    given: set[str] = set()
    rest: list[str] = []
    for index, argument in enumerate(arguments):
        if argument == "--":
            rest += arguments[index:]
            break
        name = FLAGS.get(argument)
        if name is None:
            rest.append(argument)
        else:
            given.add(name)
    return given, rest
