"""What every long-running command does around its forwards: logs, signals, the event loop."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING

import anyio

from nymproxy._process_signals import ignore_stray_signals
from nymproxy.cli.connection import memory_account, warn_of_unused
from nymproxy.errors import ConfigurationError
from nymproxy.forward.endpoint import UnixEndpoint, parse_listen
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.operating.groups import IdentityGroups
from nymproxy.operating.logs import LogOptions, set_up_logging
from nymproxy.operating.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nymproxy.cli.settings import ProxySettings
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.operating.forward import Plan
    from nymproxy.operating.metrics import Metrics

logger = logging.getLogger("nymproxy.cli")


def log_options(settings: ProxySettings) -> LogOptions:
    """Return how the flags say to log."""
    return LogOptions(
        level=None if settings.log_level is None else settings.log_level.value,
        file=settings.log_file,
        as_json=settings.json_logs,
        sessions=settings.log_sessions.value == "on",
    )


def say_which_network(env_path: Path | None, *, proxy: str | None, ca_file: Path | None) -> None:
    """Say what is nobody's choice, and what has no effect, which surprises newcomers.

    Raises:
        ConfigurationError: the environment describes no network.
    """
    if env_path is None:
        name = NetworkDetails.from_env_file(None).network_name
        logger.info("Nym %s, since no -e was given", name)
    warn_of_unused(os.environ, has_proxy=proxy is not None, has_trust=ca_file is not None)


def monitor(
    supervisor: Supervisor, memory: MemoryAccount, *, metrics: str | None, control: Path | None
) -> None:
    """Have a supervisor's process answer where it is said to.

    Raises:
        ConfigurationError: what makes metrics is not installed.
    """
    if metrics is None and control is None:
        return
    from nymproxy.operating.http_server import serve_http
    from nymproxy.operating.monitoring import CONTROL_SOCKET_MODE, Monitoring

    made = None if metrics is None else _made_metrics(supervisor, memory).answer
    answers = Monitoring(supervisor, memory, made)
    if metrics is not None:
        supervisor.add_service(partial(serve_http, parse_listen(metrics), answers.answer))
    if control is not None:
        endpoint = UnixEndpoint(str(control))
        serve = partial(serve_http, endpoint, answers.answer_operator, mode=CONTROL_SOCKET_MODE)
        supervisor.add_service(serve)


def _made_metrics(supervisor: Supervisor, memory: MemoryAccount) -> Metrics:
    try:
        from nymproxy.operating.metrics import Metrics
    except ImportError as error:
        raise ConfigurationError(
            "--metrics needs prometheus-client: install nymproxy with its extra 'metrics'"
        ) from error
    return Metrics(lambda: list(supervisor.forwards.values()), memory)


def run_all(
    plans_of: Callable[[MemoryAccount, IdentityGroups], list[Plan]],
    settings: ProxySettings,
    env_path: Path | None,
) -> None:
    """Run forwards until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    ignore_stray_signals()
    set_up_logging(log_options(settings), rust_log=os.environ.get("RUST_LOG"))
    say_which_network(env_path, proxy=settings.proxy, ca_file=settings.ca_file)
    memory, groups = memory_account(settings), IdentityGroups()
    supervisor = Supervisor(plans_of(memory, groups), grace_seconds=settings.grace_period_seconds)
    supervisor.add_service(groups.run)
    monitor(supervisor, memory, metrics=settings.metrics, control=settings.control)
    anyio.run(partial(supervisor.run, ends_process=True))
