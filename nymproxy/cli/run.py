"""``nymproxy run``: all forwards of a configuration file, in one process."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import anyio

from nymproxy._process_signals import ignore_stray_signals
from nymproxy.cli import client, server
from nymproxy.cli.configuration import load
from nymproxy.cli.inputs import Inputs
from nymproxy.cli.running import monitor, say_which_network
from nymproxy.memory_account import MINIMUM_BYTES, MemoryAccount
from nymproxy.operating.groups import IdentityGroups
from nymproxy.operating.logs import LogOptions, log_to_stderr, set_up_logging
from nymproxy.operating.supervisor import Supervisor

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy.cli.configuration import Configuration
    from nymproxy.cli.taking import Given
    from nymproxy.operating.forward import Plan


class ConfiguredProcess:
    """A process that does what a file says, and reads it again when it is told to.

    Args:
        path: the file.
        given: what the command line says of the process as a whole.
    """

    def __init__(self, path: Path, given: Given) -> None:
        self._path = path
        self._given = given
        self._inputs = Inputs()
        self.configuration = load(path, os.environ, given, self._inputs)
        self.groups = IdentityGroups()
        self.memory = MemoryAccount(_memory_limit(self.configuration))

    def plans(self) -> list[Plan]:
        """Return what the file asks for, before anything runs."""
        plans = self._plans_of(self.configuration)
        self._inputs.forbid_waiting()
        return plans

    def _plans_of(self, configuration: Configuration) -> list[Plan]:
        memory, groups, inputs = self.memory, self.groups, self._inputs
        return [
            *(
                client.plan_of(each.settings, each.name, memory, groups, inputs)
                for each in configuration.clients
            ),
            *(
                server.plan_of(each.settings, each.name, memory, inputs)
                for each in configuration.servers
            ),
        ]

    def reload(self) -> list[Plan]:
        """Read the file again, use what it says of the process, and return its plans.

        Raises:
            ConfigurationError: it cannot be used, or a file that it names cannot be read; nothing
                is changed.
            UnsafePermissions: everybody can read the file of a passphrase.
            OSError: the log file cannot be opened.
        """
        configuration = load(self._path, os.environ, self._given, self._inputs)
        plans = self._plans_of(configuration)
        limit = MemoryAccount(_memory_limit(configuration)).maximum_bytes
        set_up_logging(_log_options(configuration), rust_log=os.environ.get("RUST_LOG"))
        self.configuration, self.memory.maximum_bytes = configuration, limit
        return plans


def _memory_limit(configuration: Configuration) -> int | None:
    limit = configuration.value("memory_limit_mib")
    return None if limit is None else max(limit << 20, MINIMUM_BYTES)


def _log_options(configuration: Configuration) -> LogOptions:
    level = configuration.value("log_level")
    return LogOptions(
        level=None if level is None else level.value,
        file=configuration.value("log_file"),
        as_json=configuration.value("json_logs"),
        sessions=configuration.value("log_sessions").value == "on",
    )


def run(path: Path, given: Given) -> None:
    """Run until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    ignore_stray_signals()
    log_to_stderr()
    process = ConfiguredProcess(path, given)
    configuration = process.configuration
    set_up_logging(_log_options(configuration), rust_log=os.environ.get("RUST_LOG"))
    say_which_network(
        configuration.value("env_path"),
        proxy=configuration.value("proxy"),
        ca_file=configuration.value("ca_file"),
    )
    supervisor = Supervisor(
        process.plans(),
        grace_seconds=configuration.value("grace_period_seconds"),
        tries_again=True,
        reload=process.reload,
    )
    supervisor.add_service(process.groups.run)
    monitor(
        supervisor,
        process.memory,
        metrics=configuration.value("metrics"),
        control=configuration.value("control"),
    )
    anyio.run(partial(supervisor.run, ends_process=True))
