"""``python -m nymproxy`` is the ``nymproxy`` command."""

from __future__ import annotations

import sys

from nymproxy.cli import main

if __name__ == "__main__":
    sys.exit(main())
