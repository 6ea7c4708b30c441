"""What docs/comparison.md says of nymproxy: its commands are there, and its tests."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from nymproxy.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "comparison.md").read_text()
COMMANDS = sorted(set(re.findall(r"`(nymproxy [^`]+)`", PAGE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_page_parse(command: str) -> None:
    group: Any = typer.main.get_command(app)
    name, *rest = shlex.split(command)[1:]
    found = group.commands[name]
    if name == "sessions":
        name, *rest = rest
        found = found.commands[name]
    found.make_context(name, rest)


def test_tests_that_it_names_are_there() -> None:
    named = re.findall(r"tests/[\w/]+\.py", PAGE)
    assert len(named) >= 3
    assert all((ROOT / each).exists() for each in named)
