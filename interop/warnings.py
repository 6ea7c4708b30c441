"""What Rust programs say of copies in their logs, which must be nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OF_COPIES = re.compile(rb"^.*\bWARN\b.*duplicate fragment received.*$", re.MULTILINE)
"""What nym-sphinx-chunking 1.21.6 says of a second fragment (reconstruction.rs)."""


class Warnings:
    """Reads the logs below a directory as they grow.

    Args:
        directory: of the processes' files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[Path, int] = {}

    def take(self) -> list[str]:
        """Return the lines since the last call that warn of a copy."""
        found: list[str] = []
        logs = [*self._directory.rglob("*.log"), *self._directory.rglob("log")]
        for log in sorted(path for path in logs if path.is_file()):
            with log.open("rb") as file:
                file.seek(self._read.get(log, 0))
                whole = file.read().rpartition(b"\n")[0]
            self._read[log] = self._read.get(log, 0) + len(whole)
            found += [line.decode(errors="replace") for line in _OF_COPIES.findall(whole)]
        return found
