"""What ``nymproxy-migrate demo`` does."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from nymproxy_migrate.demo.story import run_demo

if TYPE_CHECKING:
    from pathlib import Path


def demo(deployment: Path | None, report: Path | None) -> int:
    """Tell the whole story, by default of the example that comes with us; 1 if anything did not
    hold."""
    if deployment is not None:
        return 0 if run_demo(deployment, report) else 1
    with resources.as_file(resources.files("nymproxy_migrate.demo") / "deployment") as example:
        return 0 if run_demo(example, report) else 1
