"""D 16: no text tells anybody to install a name that somebody else may register."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from nymproxy_migrate import installing
from nymproxy_migrate.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {".md", ".py", ".toml", ".yaml", ".yml", ".json", ".sh", ".html", ".j2", ".txt", ".rs", ""}
# What others have in their trees, what is made here, and what is not ours to say.
LEFT_OUT = {"tests", "build", "dist", "nymproxy.egg-info", "target"}
HIDDEN_AND_OURS = {".github", ".pre-commit-hooks.yaml"}
TOOLS = r"(?:pipx?|uvx?|poetry|pdm|conda|apt(?:-get)?|brew)"
BY_NAME = re.compile(
    rf"\b{TOOLS}\b[^\n`]{{0,60}}?\b(?:install|add|run|inject)\b[^\n`]{{0,40}}?"
    r"(?<![\w/.-])[\"']?nymproxy(?:\[[\w,]+\])?[\"']?(?=[\s`'\",.;)]|$)(?! @)"
)


def texts() -> list[Path]:
    found = [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.suffix in TEXTS
        and _is_ours(path.relative_to(ROOT).parts[0])
        and path.stat().st_size < 1_000_000
    ]
    assert len(found) > 100
    return found


def _is_ours(top: str) -> bool:
    return top in HIDDEN_AND_OURS or not (top.startswith(".") or top in LEFT_OUT)


def test_no_text_installs_a_bare_name() -> None:
    said = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts()
        for match in BY_NAME.finditer(path.read_text(errors="replace"))
    }
    assert said == set()


@pytest.mark.parametrize(
    ("text", "is_said"),
    [
        ("pip install nymproxy", True),
        ("`pip install 'nymproxy[migrate]'`", True),
        ("RUN pip install --no-cache-dir nymproxy\n", True),
        ("pipx install nymproxy,", True),
        ("uv add nymproxy", True),
        (installing.INSTALL, False),
        (installing.INSTALL_MIGRATE, False),
        ("pip install ./nymproxy-0.1.0-py3-none-any.whl", False),
        ("pip install --editable '.[trio,migrate]'", False),
    ],
)
def test_what_counts(text: str, is_said: bool) -> None:
    assert (BY_NAME.search(text) is not None) == is_said


def test_no_rule_does() -> None:
    for rule in RULES.values():
        assert BY_NAME.search(f"{rule.why} {rule.next} {rule.example_after}") is None


def test_the_constant_is_that_of_this_version_and_of_the_docs() -> None:
    assert metadata.version("nymproxy") in installing.WHEEL
    for name in ("README.md", "docs/migrating.md", "docs/commands.md"):
        text = (ROOT / name).read_text()
        assert installing.INSTALL in text or installing.INSTALL_MIGRATE in text, name
