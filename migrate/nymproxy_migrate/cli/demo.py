"""What ``nymproxy-migrate demo`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.demo.story import run_demo

if TYPE_CHECKING:
    from pathlib import Path


def demo(deployment: Path, report: Path | None) -> int:
    """Tell the whole story; 1 if anything did not hold."""
    return 0 if run_demo(deployment, report) else 1
