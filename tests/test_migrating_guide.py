"""The guide's commands, run in their order by one shell, in a copy of the example deployment."""

from __future__ import annotations

import re
import shutil
from importlib import metadata
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.console import missing_line, run, steps_of

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "migrating.md"
EXAMPLE = ROOT / "migrate" / "nymproxy_migrate" / "demo" / "deployment"


def _blocks(language: str) -> list[str]:
    tokens = MarkdownIt().parse(GUIDE.read_text())
    return [token.content for token in tokens if token.type == "fence" and token.info == language]


@pytest.mark.slow
@pytest.mark.timeout(600)  # a minute at worst on an idle machine
@pytest.mark.skipif(shutil.which("bash") is None, reason="the guide's commands are for bash")
def test_every_command_does_what_the_guide_says(tmp_path: Path) -> None:
    tree, record = tmp_path / "deployment", tmp_path / "record"
    shutil.copytree(EXAMPLE, tree)
    (configuration,) = _blocks("toml")
    (tree / "nymproxy.toml").write_text(configuration)
    steps = [step for block in _blocks("console") for step in steps_of(block)]
    assert len(steps) > 10
    run(steps, tree, record, {"XDG_STATE_HOME": str(record / "state"), "RUST_LOG": "off"}, 540)


def test_python_blocks_compile() -> None:
    blocks = _blocks("python")
    assert blocks
    for block in blocks:
        compile(block, str(GUIDE), "exec")


def test_the_extra_that_it_installs_is_there() -> None:
    named = set(re.findall(r"nymproxy\[(\w+)\]", GUIDE.read_text()))
    assert named <= set(metadata.metadata("nymproxy").get_all("Provides-Extra", []))


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (["a", "c…"], None),
        (["b", "a"], "a"),
        (["b.d"], "b.d"),
        (["…bc…"], "…bc…"),
    ],
)
def test_lines_are_looked_for_in_order(lines: list[str], missing: str | None) -> None:
    assert missing_line(lines, "a\nb\ncd\n") == missing
