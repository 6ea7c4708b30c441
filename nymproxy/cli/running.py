"""What every long-running command does around its forwards: logs, signals, the event loop."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import anyio

from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.operating.logs import LogOptions, set_up_logging
from nymproxy.operating.supervisor import Supervisor, ignore_stray_signals

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy.cli.settings import ProxySettings
    from nymproxy.operating.forward import Plan

logger = logging.getLogger("nymproxy.cli")


def log_options(settings: ProxySettings) -> LogOptions:
    """Return how the flags say to log."""
    return LogOptions(
        level=None if settings.log_level is None else settings.log_level.value,
        file=settings.log_file,
        as_json=settings.json_logs,
        sessions=settings.log_sessions.value == "on",
    )


def say_which_network(env_path: Path | None) -> None:
    """Say it, where it is nobody's choice: the first thing that surprises a newcomer.

    Raises:
        ConfigurationError: the environment describes no network.
    """
    if env_path is None:
        name = NetworkDetails.from_env_file(None).network_name
        logger.info("Nym %s, since no -e was given", name)


def run_one(plan: Plan, settings: ProxySettings, env_path: Path | None) -> None:
    """Run one forward until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    ignore_stray_signals()
    set_up_logging(log_options(settings), rust_log=os.environ.get("RUST_LOG"))
    supervisor = Supervisor([plan], grace_seconds=settings.grace_period_seconds)
    say_which_network(env_path)
    anyio.run(supervisor.run)
