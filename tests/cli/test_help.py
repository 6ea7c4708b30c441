"""Help at 80 columns: no flag, choice or default is cut, and no line is wider."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer.main

import nymproxy.cli
import nymproxy_migrate.cli
from nymproxy.cli.app import app
from nymproxy_migrate.cli.app import app as migrate_app

PROGRAMS = {
    "nymproxy": (app, nymproxy.cli.main),
    "nymproxy-migrate": (migrate_app, nymproxy_migrate.cli.main),
}


def commands_of(group: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """A command by its words, and all that are below it."""
    found = [(path, group)]
    for name, command in getattr(group, "commands", {}).items():
        found += commands_of(command, (*path, name))
    return found


COMMANDS = [
    (program, path, command)
    for program, (typer_app, _) in PROGRAMS.items()
    for path, command in commands_of(typer.main.get_command(typer_app), ())
]


@pytest.mark.parametrize(
    ("program", "path", "command"),
    COMMANDS,
    ids=[" ".join((program, *path)) for program, path, _ in COMMANDS],
)
def test_nothing_is_cut_at_80_columns(
    program: str,
    path: tuple[str, ...],
    command: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert PROGRAMS[program][1]([*path, "--help"]) == 0
    out = capsys.readouterr().out
    assert not re.search(r"…|\w\.\.\.", out), "a sentence of the list of commands"
    assert not re.search(r"<\w+( range)?>|\[(str|Path)\]", out), "a type of the parser's language"
    assert max(len(line) for line in out.splitlines()) <= 80
    words = " ".join(out.split()).replace("- ", "-")
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        for flag in parameter.opts:
            if flag.startswith("-"):
                assert flag in words
    for name in getattr(command, "commands", {}):
        assert f"\n  {name} " in out
