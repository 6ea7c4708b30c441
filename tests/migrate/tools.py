"""Helpers of the migration tests: apply edits, and check what must hold for each rewrite."""

from __future__ import annotations

import configparser
import importlib
import json
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

from tree_sitter import Language, Parser

from nymproxy_migrate.model import Action, Finding, SourceFile
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.scan import scan_source

if TYPE_CHECKING:
    from collections.abc import Iterable

NYMPROXY = "/usr/local/bin/nymproxy"
"""Where the new program is said to be."""

OPTIONS = ScanOptions(installed=NYMPROXY)

ADDRESS = (
    "2gMnyZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSMeFAHpVc.7NRYcyGJeFAMZ8VVPnhS7pVQhXzBFDrzVGAUmdCPGjSM"
    "@4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh"
)


def source(path: str, text: str | bytes) -> SourceFile:
    """Return a file; a text starts behind its first line break, so that tests can be read."""
    data = text if isinstance(text, bytes) else text.removeprefix("\n").encode()
    return SourceFile(path, data)


def findings(path: str, text: str | bytes, options: ScanOptions | None = None) -> list[Finding]:
    """Return the findings of one file."""
    return scan_source(source(path, text), options or OPTIONS)


def codes(path: str, text: str | bytes, options: ScanOptions | None = None) -> list[str]:
    """Return the codes of the findings that are no mere information."""
    found = findings(path, text, options)
    return [finding.code for finding in found if finding.action is not Action.INFO]


def apply(data: bytes, found: Iterable[Finding]) -> bytes:
    """Return the file with all edits of all findings."""
    edits = sorted(edit for finding in found for edit in finding.edits)
    parts, position = [], 0
    for edit in edits:
        assert edit.span.start >= position, f"edits overlap: {edits}"
        parts += [data[position : edit.span.start], edit.replacement]
        position = edit.span.end
    return b"".join([*parts, data[position:]])


def check(
    path: str, before: str | bytes, after: str | bytes, options: ScanOptions | None = None
) -> None:
    """Check a rewrite: it is the expected one, it parses, and a second run changes nothing."""
    start = source(path, before)
    expected = source(path, after).data
    result = apply(start.data, findings(path, start.data, options))
    assert result.decode("utf-8", "backslashreplace") == expected.decode(
        "utf-8", "backslashreplace"
    )
    assert_parses(path, result)
    again = findings(path, result, options)
    assert [finding for finding in again if finding.edits] == []
    assert "NYM090" not in [finding.code for finding in again]
    assert start.data == expected or "NYM001" not in (found.code for found in again)


def check_noop(path: str, text: str | bytes, *expected: str) -> None:
    """Check that a file stays as it is, with these codes (information aside)."""
    found = findings(path, text)
    assert apply(source(path, text).data, found) == source(path, text).data
    assert codes(path, text) == list(expected)


_GRAMMARS = {
    ".tf": "hcl",
    ".nomad": "hcl",
    ".nix": "nix",
    "Makefile": "make",
    "Dockerfile": "containerfile",
    "Containerfile": "containerfile",
}


def assert_parses(path: str, data: bytes) -> None:
    """Check with a parser that is not the tool's own, where there is one."""
    if path.endswith(".sh") and shutil.which("bash"):
        done = subprocess.run(["bash", "-n"], input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    elif path.endswith((".yml", ".yaml")) and b"{{" not in data:
        from ruamel.yaml import YAML

        list(YAML(typ="safe", pure=True).load_all(data))
    elif path.endswith(".json"):
        json.loads(data)
    elif path.endswith(".toml"):
        tomllib.loads(data.decode())
    elif path.endswith((".service", ".ini")) or path.endswith("supervisord.conf"):
        text = data.decode("latin-1").replace("\\\n", " ").replace("\\\r\n", " ")
        configparser.RawConfigParser(strict=False).read_string(text)
    elif path.endswith(tuple(_GRAMMARS)):
        name = next(name for end, name in _GRAMMARS.items() if path.endswith(end))
        language = Language(importlib.import_module(f"tree_sitter_{name}").language())
        assert not Parser(language).parse(data).root_node.has_error


def parses(path: str, data: bytes) -> bool:
    """Tell whether such a parser reads the file."""
    try:
        assert_parses(path, data)
    except Exception:  # each parser has exceptions of its own
        return False
    return True
