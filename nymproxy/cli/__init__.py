"""The ``nymproxy`` command. Nothing below this package imports it."""

from __future__ import annotations


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code; see :mod:`nymproxy.cli.program`."""
    from nymproxy.cli.program import run

    return run(arguments)
