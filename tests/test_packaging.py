"""What the sources and the wheel have in them, without building them: `make dist` does that."""

from __future__ import annotations

import fnmatch
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {"nymproxy": ROOT / "nymproxy", "nymproxy_migrate": ROOT / "migrate/nymproxy_migrate"}
_CHECKOUT_ONLY = {".gitignore", "pyproject.toml", "MANIFEST.in"}  # the latter two go without saying


def tracked() -> list[str]:
    """The files of the project, or nothing where these are no checkout (unpacked sources)."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return listed.stdout.rstrip("\0").split("\0") if (ROOT / ".git").exists() else []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_travels_in_the_wheel(package: str) -> None:
    folder = PACKAGES[package]
    patterns = PROJECT["tool"]["setuptools"]["package-data"][package]
    left_out = [
        name
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        for name in [str(path.relative_to(folder))]
        if (path.suffix != ".py" or name.startswith("demo/deployment/"))
        and not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    ]
    assert left_out == []


def test_every_file_of_the_project_travels_with_the_sources() -> None:
    lines = [line.split() for line in (ROOT / "MANIFEST.in").read_text().splitlines()]
    grafted = [folder for verb, *folders in lines if verb == "graft" for folder in folders]
    included = {name for verb, *names in lines if verb == "include" for name in names}
    left_out = [
        name
        for name in tracked()
        if not name.startswith(("nymproxy/", *(f"{folder}/" for folder in grafted)))
        and name not in included | _CHECKOUT_ONLY
    ]
    assert left_out == []


def test_the_authors_are_named_and_no_address_is_made_up() -> None:
    project = PROJECT["project"]
    assert project["authors"] == [{"name": "nymproxy developers"}]
    assert "urls" not in project
