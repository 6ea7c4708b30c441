"""``nymproxy localnet``: an embedded mixnet in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from nymproxy.cli.logs import set_up_logging
from nymproxy.cli.running import notify_service_manager
from nymproxy.localnet.process import serve_localnet

if TYPE_CHECKING:
    from nymproxy.localnet.config import LocalnetConfig


def _announce(description: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"event": "ready", **description}) + "\n")
    sys.stdout.flush()
    notify_service_manager("READY=1")


def run(config: LocalnetConfig, *, json_logs: bool) -> None:
    """Run until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    set_up_logging(as_json=json_logs, rust_log=os.environ.get("RUST_LOG"))
    serve_localnet(config, ready=_announce)
