"""The tree that the demo works on, and how it is compared with the original."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fingerprint(tree: Path) -> str:
    """Return one SHA-256 over the names, modes and bytes of all files of a tree."""
    digest = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree)
        if not path.is_file():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name.as_posix()}\0{mode:o}\0{content}\n".encode())
    return digest.hexdigest()
