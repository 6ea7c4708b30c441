"""Vectors made by the real Rust crates; ``NYMPROXY_VECTORS=DIR`` tests another folder of them."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(os.environ.get("NYMPROXY_VECTORS") or Path(__file__).parent)
NEWER = "2.0.0"


@lru_cache
def load(name: str) -> dict[str, Any]:
    """Read one vector file. A missing file is an error, and so fails the run."""
    data: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return data


def is_newer(name: str) -> bool:
    """Whether the crates of 2.0.0 made that file, by its own word; the committed ones are older."""
    return load(name).get("crates") == NEWER


def recorded(*parts: bytes) -> Callable[[int], bytes]:
    """Replay random bytes; asking for another length than was recorded fails."""
    queue = list(parts)

    def random_bytes(count: int) -> bytes:
        part = queue.pop(0)
        assert len(part) == count
        return part

    return random_bytes
