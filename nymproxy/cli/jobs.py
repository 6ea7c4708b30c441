"""What the arguments ask to be run for long."""

from __future__ import annotations

import importlib
from typing import Any, Literal, NamedTuple


class Job(NamedTuple):
    """A command with its settings.

    Attributes:
        command: the module of this package whose ``run`` does it.
        settings: its arguments.
    """

    command: Literal["client", "server", "run"]
    settings: tuple[Any, ...]

    def run(self) -> None:
        """Run until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
        importlib.import_module(f"nymproxy.cli.{self.command}").run(*self.settings)
