"""Installed as a library alone, the package is whole, and the commands say what they lack."""

from __future__ import annotations

import subprocess
import sys

import pytest

# As it is where nothing of the extras was installed.
REFUSE = """
import sys
MISSING = {"rich", "typer", "pydantic", "prometheus_client", "trio", "libcst", "tree_sitter"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", REFUSE + code], capture_output=True, text=True, check=False
    )


def test_the_library_is_whole() -> None:
    done = run(
        "import importlib, nymproxy\n"
        "for name in nymproxy.__all__: getattr(nymproxy, name)\n"
        "for name in ('stream.tls', 'stream.httpx_transport', 'stream.asyncio_streams',\n"
        "             'testing.memory', 'testing.localnet', 'operating.supervisor'):\n"
        "    importlib.import_module(f'nymproxy.{name}')\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["nymproxy", "nymproxy_migrate"])
@pytest.mark.parametrize("arguments", [["--version"], ["demo"]])
def test_a_command_says_which_extra_it_needs(package: str, arguments: list[str]) -> None:
    done = run(f"from {package}.cli import main\nsys.exit(main({arguments!r}))")
    extra = {"nymproxy": "nymproxy[cli]", "nymproxy_migrate": "nymproxy[migrate] @ file:"}
    assert done.returncode == 2, done.stderr
    assert extra[package] in done.stderr
    assert done.stderr.count("\n") == 1
