"""``nymproxy localnet``: an embedded mixnet in a process of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nymproxy._process_signals import ignore_stray_signals
from nymproxy.localnet.process import serve_localnet
from nymproxy.operating.announcement import print_ready, ready_line
from nymproxy.operating.logs import LogOptions, set_up_logging
from nymproxy.operating.service_manager import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.localnet.config import LocalnetConfig
    from nymproxy.localnet.faults import FaultPlan


def _announce(description: dict[str, Any]) -> None:
    print_ready(ready_line(description))
    ServiceManager().ready()


def run(
    config: LocalnetConfig,
    *,
    json_logs: bool,
    new_faults: Callable[[], FaultPlan] | None = None,
) -> None:
    """Run until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    ignore_stray_signals()
    set_up_logging(LogOptions(as_json=json_logs), rust_log=os.environ.get("RUST_LOG"))
    serve_localnet(config, ready=_announce, new_faults=new_faults)
