"""The commands that need no network but this machine: ``localnet`` and ``demo``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nymproxy._bounded_read import read_named, read_regular
from nymproxy.cli.choices import Profile
from nymproxy.cli.flags import Flag
from nymproxy.cli.taking import takes
from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


_MAX_PLAN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalnetSettings:
    """The flags of ``localnet``."""

    mixes_per_layer: Annotated[int, Flag(minimum=1, help="Mix nodes in each layer.")] = 1
    gateways: Annotated[int, Flag(minimum=1, help="Gateways.")] = 2
    processes: Annotated[int, Flag(minimum=1, help="Processes that share the nodes' work.")] = 1
    state_dir: Annotated[
        Path | None,
        Flag(
            metavar="DIR",
            help="Keep keys, ports and the gateways' clients here from run to run.",
        ),
    ] = None
    env_file: Annotated[
        Path | None, Flag(metavar="FILE", help="Where to write the env file for clients.")
    ] = None
    base_port: Annotated[
        int | None,
        Flag(minimum=1, maximum=65535, help="First port; the nodes take those after it."),
    ] = None
    seed: Annotated[int | None, Flag(help="Make all keys predictable (for tests).")] = None
    epoch_seconds: Annotated[
        float,
        Flag(
            minimum=1.0,
            help="Length of an epoch. Rust clients refresh every 300 s: keep it much longer.",
        ),
    ] = 30 * 24 * 3600.0
    epochs_per_rotation: Annotated[
        int, Flag(minimum=2, help="Epochs between two rotations of the nodes' keys.")
    ] = 24
    acks_after_writing: Annotated[
        bool,
        Flag(
            names=("--acks-after-writing",),
            help="Acknowledge what a client's socket has taken; real gateways do so earlier.",
        ),
    ] = False
    faults: Annotated[
        Path | None,
        Flag(metavar="FILE", help="A fault plan (JSON, docs/localnet.md), read again at SIGHUP."),
    ] = None
    json_logs: Annotated[bool, Flag(names=("--json",), help="Logs as JSON lines on stderr.")] = (
        False
    )
    debug: Annotated[bool, Flag(names=("--debug",), help="Tracebacks of our own bugs.")] = False


@takes(LocalnetSettings)
def localnet(settings: LocalnetSettings) -> None:
    """Run a mixnet on this machine: directory, mix nodes and gateways, on loopback sockets."""
    from nymproxy.cli import localnet as command
    from nymproxy.localnet.config import LocalnetConfig
    from nymproxy.localnet.faults import FaultPlan
    from nymproxy.operating.logs import log_to_stderr

    def read(path: Path, reader: Callable[[Path, int], bytes]) -> FaultPlan:
        try:
            return FaultPlan.from_json(reader(path, _MAX_PLAN_BYTES).decode())
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{path}: no text") from error

    log_to_stderr()
    faults = settings.faults
    command.run(
        LocalnetConfig(
            mixes_per_layer=settings.mixes_per_layer,
            gateways=settings.gateways,
            processes=settings.processes,
            state_dir=settings.state_dir,
            env_file=settings.env_file,
            base_port=settings.base_port,
            seed=settings.seed,
            epoch_seconds=settings.epoch_seconds,
            epochs_per_rotation=settings.epochs_per_rotation,
            acks_after_writing=settings.acks_after_writing,
            fault_plan=FaultPlan() if faults is None else read(faults, read_named),
        ),
        json_logs=settings.json_logs,
        new_faults=None if faults is None else partial(read, faults, read_regular),
    )


def demo(
    profile: Annotated[Profile, typer.Option(help="Traffic profile.")] = Profile.BARE,
    json_output: Annotated[
        bool, typer.Option("--json", help="The result as one JSON object on stdout.")
    ] = False,
    keep_logs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the logs of all processes in this directory."),
    ] = None,
) -> None:
    """Show the whole thing: a local mixnet, both pairs of proxies, and every byte checked."""
    from nymproxy.cli.demo.story import DemoSettings, run_demo

    settings = DemoSettings(profile=profile.value, as_json=json_output, keep_logs=keep_logs)
    if not run_demo(settings):
        raise typer.Exit(1)
