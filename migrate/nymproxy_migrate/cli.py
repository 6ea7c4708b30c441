"""``nymproxy-migrate``: the command exists so that its name is taken; the tool comes later."""

from __future__ import annotations

import sys

EXIT_NOT_THERE_YET = 2

_MESSAGE = """\
nymproxy-migrate is not there yet: this version of nymproxy has the client stack, the embedded
mixnet and both proxies, but not the tool that rewrites old deployments. Until it comes, run
`nymproxy client` and `nymproxy server` with the flags of the old binaries (see README.md).
"""


def main() -> int:
    """Say that the tool does not exist yet, and what to do until it does."""
    sys.stderr.write(_MESSAGE)
    return EXIT_NOT_THERE_YET
