"""Imports go down only (docs/architecture.md), and a plain import stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PUBLIC_NAMES = set((ROOT / "tests" / "public_names.txt").read_text().split())

# What each room may import of nymproxy; a room may always import itself. The most specific entry
# counts. "base" are the modules directly in nymproxy/ that every room may use.
BASE = {
    "nymproxy.address",
    "nymproxy.connection_options",
    "nymproxy.errors",
    "nymproxy.memory_account",
    "nymproxy._alarm",
    "nymproxy._arguments",
    "nymproxy._atomic_write",
    "nymproxy._background_loop",
    "nymproxy._background_task",
    "nymproxy._backoff",
    "nymproxy._base58",
    "nymproxy._bounded_read",
    "nymproxy._curve25519",
    "nymproxy._dial",
    "nymproxy._error_groups",
    "nymproxy._file_lock",
    "nymproxy._lazy",
    "nymproxy._limited_log",
    "nymproxy._log_fields",
    "nymproxy._home_loop",
    "nymproxy._http_head",
    "nymproxy._httpcore_backend",
    "nymproxy._memory_limit",
    "nymproxy._mistrust",
    "nymproxy._printable",
    "nymproxy._process_signals",
    "nymproxy._signal",
    "nymproxy._standard_streams",
    "nymproxy._strict_json",
    "nymproxy._tcp_stream",
    "nymproxy._smoothed_time",
    "nymproxy._timers",
    "nymproxy._waiter",
    "nymproxy.tracing",
}
SEAM = {"nymproxy.mixnet.transport", "nymproxy.mixnet.randomness"}
ALLOWED: dict[str, set[str]] = {
    "nymproxy.mixnet": set(),
    "nymproxy.channel": SEAM,
    "nymproxy.forward": SEAM | {"nymproxy.channel"},
    "nymproxy.stream": {"nymproxy.mixnet", "nymproxy.channel", "nymproxy.forward"},
    "nymproxy.legacy": {
        "nymproxy.mixnet",
        "nymproxy.channel",
        "nymproxy.forward",
        "nymproxy.stream",
    },
    "nymproxy.operating": {
        "nymproxy.mixnet",
        "nymproxy.channel",
        "nymproxy.forward",
        "nymproxy.stream",
        "nymproxy.legacy",
    },
    "nymproxy.localnet": {"nymproxy.mixnet"},
    "nymproxy.testing": {
        "nymproxy.mixnet",
        "nymproxy.channel",
        "nymproxy.forward",
        "nymproxy.stream",
        "nymproxy.legacy",
        "nymproxy.localnet",
    },
    "nymproxy.cli": {
        "nymproxy",
        "nymproxy.mixnet",
        "nymproxy.channel",
        "nymproxy.forward",
        "nymproxy.stream",
        "nymproxy.legacy",
        "nymproxy.operating",
        "nymproxy.localnet",
        "nymproxy.testing",
    },
    "nymproxy_migrate": {
        "nymproxy",
        "nymproxy.localnet",
        "nymproxy.testing",
        "nymproxy.cli.old_flags",
        "nymproxy.cli.root",
    },
}
SUBROOMS: dict[str, set[str]] = {
    # The seam: channels import these, so they import no more than what names a client's status.
    "nymproxy.mixnet.randomness": set(),
    "nymproxy.mixnet.records": set(),
    "nymproxy.mixnet.transport": {"nymproxy.mixnet.records", "nymproxy.mixnet.machine"},
    # The pure rooms of the client stack know nothing of each other upwards.
    "nymproxy.mixnet.sphinx": {"nymproxy.mixnet.randomness"},
    "nymproxy.mixnet.messages": {"nymproxy.mixnet.randomness", "nymproxy.mixnet.sphinx"},
    "nymproxy.mixnet.directory": {"nymproxy.mixnet.randomness", "nymproxy.mixnet.sphinx"},
    "nymproxy.mixnet.storage": {"nymproxy.mixnet.randomness"},
    "nymproxy.mixnet.gateway": {
        "nymproxy.mixnet.randomness",
        "nymproxy.mixnet.sphinx",
        "nymproxy.mixnet.messages",
    },
    "nymproxy.mixnet.traffic": {
        "nymproxy.mixnet.randomness",
        "nymproxy.mixnet.records",
        "nymproxy.mixnet.sphinx",
        "nymproxy.mixnet.messages",
    },
    "nymproxy.mixnet.machine": {
        "nymproxy.mixnet.randomness",
        "nymproxy.mixnet.records",
        "nymproxy.mixnet.sphinx",
        "nymproxy.mixnet.messages",
        "nymproxy.mixnet.directory",
        "nymproxy.mixnet.traffic",
    },
    "nymproxy.mixnet.client": {"nymproxy.mixnet"},
}


def _within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def _modules() -> list[tuple[str, Path]]:
    found = []
    for base, package in ((ROOT, "nymproxy"), (ROOT / "migrate", "nymproxy_migrate")):
        for path in sorted((base / package).rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append((name, path))
    return found


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            assert node.module is not None
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] in {"nymproxy", "nymproxy_migrate"}}


def _room_of(module: str) -> tuple[str, set[str]] | None:
    for rooms in (SUBROOMS, ALLOWED):
        for room, allowed in rooms.items():
            if _within(module, room):
                return room, allowed
    return None


@pytest.mark.parametrize(
    ("module", "path"), _modules(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_imports_only_go_down(module: str, path: Path) -> None:
    found = _room_of(module)
    if found is None:  # nymproxy itself, and the base modules
        return
    room, allowed = found
    for name in _imports(path):
        if any(_within(name, base) for base in BASE) or _within(name, room):
            continue
        exact = {entry for entry in allowed if entry == "nymproxy"}
        if exact and name.removeprefix("nymproxy.") in PUBLIC_NAMES:
            continue
        assert any(_within(name, entry) for entry in allowed - exact), (
            f"{module} ({room}) imports {name}, which is not below it"
        )


def test_import_nymproxy_is_cheap() -> None:
    """The library alone pulls in no command-line, HTTP or trio code."""
    heavy = ["typer", "rich", "pydantic", "httpx", "trio", "hypothesis"]
    code = f"import sys, nymproxy\nprint([name for name in {heavy!r} if name in sys.modules])"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "[]"
