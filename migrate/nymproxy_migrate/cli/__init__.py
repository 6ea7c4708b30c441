"""The ``nymproxy-migrate`` command."""

from __future__ import annotations


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code; see :mod:`nymproxy_migrate.cli.entry`."""
    from nymproxy_migrate.cli.entry import run

    return run(arguments)
