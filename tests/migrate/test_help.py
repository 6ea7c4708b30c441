"""Help: every subcommand says what it does, and every flag and argument what it is for."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main

from nymproxy_migrate.cli import main
from nymproxy_migrate.cli.app import app

GROUP: Any = typer.main.get_command(app)


@pytest.mark.parametrize("name", sorted(GROUP.commands))
def test_every_subcommand_and_flag_is_explained(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = GROUP.commands[name]
    assert command.help.partition("\n")[0].endswith(".")
    assert len(command.help.partition("\n")[0]) <= 100
    for parameter in command.params:
        assert parameter.help, f"{name}: {parameter.opts} has no help text"
        assert parameter.help.rstrip(".") != parameter.help, f"{name}: {parameter.help!r}"
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    for parameter in command.params:
        for flag in parameter.opts:
            if flag.startswith("--"):
                assert flag in out


def test_the_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    for name, command in GROUP.commands.items():
        assert name in out
        assert command.help
    for parameter in GROUP.params:
        assert parameter.help
        assert all(flag in out for flag in parameter.opts if flag.startswith("--"))
