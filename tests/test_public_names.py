"""What ``import nymproxy`` shows: exactly the names of public_names.txt, lazily, and all typed."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nymproxy
from nymproxy import errors

ROOT = Path(__file__).resolve().parent.parent
EXPECTED = (ROOT / "tests" / "public_names.txt").read_text().split()


def names_seen_by_type_checkers() -> dict[str, str]:
    """Return name to module of the re-exports under ``TYPE_CHECKING``."""
    tree = ast.parse(Path(nymproxy.__file__).read_text())
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    found: dict[str, str] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        assert node.module is not None
        for alias in node.names:
            assert alias.asname == alias.name
            found[alias.name] = node.module
    return found


def test_the_public_names_are_those_of_the_list() -> None:
    assert sorted(nymproxy.__all__) == EXPECTED


def test_type_checkers_see_the_same_names() -> None:
    assert sorted([*names_seen_by_type_checkers(), "__version__"]) == EXPECTED


@pytest.mark.parametrize("name", EXPECTED)
def test_every_public_name_resolves_to_what_type_checkers_see(name: str) -> None:
    if name == "__version__":
        return
    module = importlib.import_module(names_seen_by_type_checkers()[name])
    assert getattr(nymproxy, name) is getattr(module, name)


def test_all_errors_are_public() -> None:
    tree = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.NymError)
    }
    assert tree <= set(nymproxy.__all__)


def test_dir_shows_the_public_names_only() -> None:
    assert {name for name in dir(nymproxy) if not name.startswith("__")} == {
        name for name in EXPECTED if not name.startswith("__")
    }


def test_other_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        getattr(nymproxy, "Nonsense")  # noqa: B009 - mypy would refuse the attribute


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert nymproxy.__version__ == project["version"]


def test_import_takes_hardly_any_cpu_time() -> None:
    """No module of ours but this one and the loader of its names: the cost is that of a few
    modules of the standard library."""
    code = "import sys, nymproxy; print(sorted(n for n in sys.modules if n.startswith('nymproxy')))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "['nymproxy', 'nymproxy._lazy']"
