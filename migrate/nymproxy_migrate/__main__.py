"""``python -m nymproxy_migrate``."""

from __future__ import annotations

import sys

from nymproxy_migrate.cli import main

sys.exit(main())
