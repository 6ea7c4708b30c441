"""The documentation without its programs: links lead somewhere, blocks ask of commands and files
what these know, and the site has every page and every public name. (`make docs` builds it.)"""

from __future__ import annotations

import importlib
import re
import runpy
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

import nymproxy.cli.app
import nymproxy_migrate.cli.app
from benchmarks.records import Record
from nymproxy.cli.configuration import load
from nymproxy.localnet import FaultPlan
from tests.legacy.addresses import some_address
from tests.pages import PAGES, ROOT, blocks

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC_MODULES: tuple[str, ...] = runpy.run_path(str(ROOT / ".ci" / "public_types.py"))["MODULES"]


def anchors(page: Path) -> set[str]:
    """What links can name on a page, as GitHub and the site make it of the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(path), f"{page.name} links to {target}#{anchor}"


def test_there_are_no_blocks_in_languages_that_nothing_here_reads() -> None:
    infos = {
        info for page in PAGES for info in re.findall(r"^```(\w*)$", page.read_text(), re.MULTILINE)
    }
    assert infos <= {"", "python", "console", "toml", "json"}


def test_toml_is_a_file_for_nymproxy_run(tmp_path: Path) -> None:
    path = tmp_path / "nymproxy.toml"
    (block,) = [block for _, block in blocks("toml")]
    path.write_text(block.replace("ADDRESS", str(some_address())))
    assert load(path, {}, {}).clients


def test_json_is_a_fault_plan_or_lines_of_a_benchmark() -> None:
    found = dict(blocks("json"))
    assert FaultPlan.from_json(found.pop(ROOT / "docs" / "localnet.md")).events
    ((page, line),) = found.items()
    assert page.name == "benchmarks.md"
    for each in line.replace("\n ", " ").splitlines():
        Record.from_line(each)


# Commands: `make`, `nymproxy` and `nymproxy-migrate` know what the pages ask of them.

PROGRAMS: dict[str, Any] = {
    "nymproxy": typer.main.get_command(nymproxy.cli.app.app),
    "nymproxy-migrate": typer.main.get_command(nymproxy_migrate.cli.app.app),
}


def commands() -> list[list[str]]:
    """The words of each command that a page shows."""
    lines = [
        line.removeprefix("$ ")
        for _, block in blocks("console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    found = []
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("&|;"):
                found += [command] if command else []
                command = []
            else:
                command.append(word)
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_of_the_pages_are_there(words: list[str]) -> None:
    program, *rest = words[0].removeprefix(".venv/bin/"), *words[1:]
    if program == "make":
        makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
        targets = [word for word in rest if "=" not in word]
        assert all(f"\n{target}:" in makefile for target in targets)
    elif program in PROGRAMS:
        command = PROGRAMS[program]
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        assert not getattr(command, "commands", {}) or rest[0] == "--version"
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= flags
    else:
        assert program in {
            ".",
            "cat",
            "git",
            "kill",
            "pip",
            "pipx",
            "printf",
            "python",
            "sha256sum",
            "ssh",
            "uv",
        }
        files = [word for word in rest if word.endswith(".py")]
        assert all((ROOT / name).exists() for name in files)


# The site.


def nav() -> list[str]:
    """The pages of the site's navigation."""
    return re.findall(r"(?<=[ ])[\w/.-]+\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)


def test_the_navigation_has_every_page_once() -> None:
    own = [str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")]
    others = [
        "index.md",
        "deploy.md",
        *(page.name for page in ROOT.glob("*.md") if page.stem.isupper() and page.stem != "README"),
    ]
    assert sorted(nav()) == sorted([*own, *others])


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    pages = "".join(page.read_text() for page in ROOT.glob("docs/reference/*.md"))
    listed = re.findall(r"^::: (\S+)$", pages, re.MULTILINE)
    assert len(listed) == len(set(listed))
    names = {f"{module}.{name}" for name in importlib.import_module(module).__all__}
    assert names - {"nymproxy.__version__"} <= set(listed)
