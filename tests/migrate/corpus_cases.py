"""The corpus: small trees with what the tool must find in them and make of them.

Each folder of ``corpus`` is one case: ``tree`` is the input, ``expected`` holds the files that a
rewrite changes, ``expected.toml`` the findings, and ``make.toml`` what cannot be kept in a
repository: modes, links, files that git ignores.
"""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nymproxy_migrate.options import ScanOptions

NYMPROXY = "/usr/local/bin/nymproxy"
CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Case:
    """One tree and what is expected of it.

    Attributes:
        name: its folder's name.
        about: one sentence.
        findings: ``path:line CODE`` of all findings that are more than information, sorted.
        info: the same for some that are information.
        options: how it is scanned.
        expected: the bytes of the files that a rewrite changes.
    """

    name: str
    about: str
    findings: list[str]
    info: list[str]
    options: ScanOptions
    expected: dict[str, bytes]

    def make(self, root: Path) -> None:
        """Write the tree of this case to a folder that does not exist yet."""
        made = self._made()
        if (CORPUS / self.name / "tree").is_dir():
            shutil.copytree(CORPUS / self.name / "tree", root)
        for folder, files in ((root, "files"), (root.parent / "outside", "outside")):
            for path, text in made.get(files, {}).items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(text.encode())
        for path, target in made.get("links", {}).items():
            (root / path).symlink_to(target)
        modes = made.get("modes", {})
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.chmod(int(modes.get(str(path.relative_to(root)), "644"), 8))

    def _made(self) -> dict[str, Any]:
        path = CORPUS / self.name / "make.toml"
        return tomllib.loads(path.read_text()) if path.exists() else {}


def load() -> list[Case]:
    """Return all cases, sorted by name."""
    return [_case(path.parent) for path in sorted(CORPUS.glob("*/expected.toml"))]


def _case(folder: Path) -> Case:
    document = tomllib.loads((folder / "expected.toml").read_text())
    return Case(
        folder.name,
        document["about"],
        document["findings"],
        document.get("info", []),
        ScanOptions(**{"installed": NYMPROXY} | document.get("options", {})),
        files_below(folder / "expected"),
    )


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all regular files below a folder, by their relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
