"""The ``nymproxy-migrate`` command."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code; see :mod:`nymproxy_migrate.cli.entry`."""
    try:
        from nymproxy_migrate.cli.entry import run
    except ModuleNotFoundError as error:  # installed as a library, with another extra or none
        from nymproxy_migrate.installing import missing

        explained = missing(error)
        if explained is None:
            raise
        sys.stderr.write(f"nymproxy-migrate: {explained}\n")
        return 2
    return run(arguments)
