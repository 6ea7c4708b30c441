"""Runs the rewritten scripts of a deployment on a local mixnet, and works through them."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy.testing import workloads
from nymproxy.testing.processes import Child, child_process
from nymproxy.testing.stage import Stage as Processes
from nymproxy.testing.workloads import Target, WorkloadResult
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

SERVER_SCRIPT = "scripts/start-server.sh"
CLIENT_SCRIPT = "scripts/start-client.sh"
CONFIG_DIR = "/nym/backup-store"
"""As in the deployment's own settings: the old binary put ``$HOME`` in front of it."""

PROFILE = "bare"
"""No cover traffic and no mix delays: with these, a busy machine could not keep up in time."""
DOWNLOAD_BYTES = 1_000_000
UPLOAD_BYTES = 500_000


@dataclass(frozen=True, slots=True)
class Stage:
    """A running network, an upstream, and the server that a rewritten script started.

    Attributes:
        tree: the deployment.
        home: HOME of the scripts, an empty folder at first.
        folder: settings and logs.
        env_file: the network, for ``--env-path``.
        server_address: the server's Nym address.
    """

    tree: Path
    home: Path
    folder: Path
    env_file: str
    server_address: str

    @property
    def config_dir(self) -> Path:
        """The directory that the old binary would have used."""
        return Path(str(self.home) + CONFIG_DIR)


@asynccontextmanager
async def stage(tree: Path, folder: Path) -> AsyncIterator[Stage]:
    """Start network and upstream, then the server with the tree's own script."""
    home = folder / "home"
    home.mkdir()
    _put_on_path(folder / "bin")
    processes = Processes(folder=folder)
    async with processes.localnet() as network, processes.upstream() as upstream:
        settings = {
            "UPSTREAM": upstream.http,
            "CONFIG_DIR": CONFIG_DIR,
            "NETWORK_ENV": network.env_file,
        }
        async with _script("server", tree, SERVER_SCRIPT, settings, folder, home) as server:
            yield Stage(tree, home, folder, network.env_file, str(server.ready["address"]))


def _put_on_path(programs: Path) -> None:
    """Make ``nymproxy`` the one of this Python, with the profile that the old flags do not have."""
    programs.mkdir()
    program = programs / "nymproxy"
    command = f'{shlex.quote(sys.executable)} -m nymproxy "$@" --profile {PROFILE}'
    program.write_text(f"#!/bin/sh\nexec {command}\n")
    program.chmod(0o755)


def _script(
    name: str, tree: Path, script: str, settings: dict[str, str], folder: Path, home: Path
) -> AbstractAsyncContextManager[Child]:
    """Run a script as it stands, with its settings in the file that it reads them from."""
    file = folder / f"{name}-settings.env"
    file.write_text("".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items()))
    programs = os.pathsep.join((str(folder / "bin"), os.environ.get("PATH", "")))
    environment = {
        "NYM_PROXY_SETTINGS": str(file),
        "HOME": str(home),
        "PATH": programs,
        "NYMPROXY_NEW_IDENTITY": "1",  # no old server has left keys in this home
    }
    return child_process(
        name,
        (str(tree / script),),
        program=(),
        log_directory=folder,
        environment=environment,
    )


async def work_through(
    place: Stage, wire: str, on_result: Callable[[WorkloadResult], None]
) -> list[WorkloadResult]:
    """Start a client with the tree's own script, and move bytes through it.

    Raises:
        Refused: the script's command does not speak this wire.
    """
    settings = {
        "SERVER_ADDRESS": place.server_address,
        "LISTEN_ADDRESS": "127.0.0.1",
        "LISTEN_PORT": "0",
        "NETWORK_ENV": place.env_file,
    }
    client = _script(
        f"client-{wire}", place.tree, CLIENT_SCRIPT, settings, place.folder, place.home
    )
    results = []
    async with client as child:
        if child.ready["wire"] != wire:
            raise Refused(f"the rewritten client speaks {child.ready['wire']}, not {wire}")
        target = Target.listening_at(str(child.ready["local_address"]))
        for work in (
            workloads.first_byte(target),
            workloads.download(target, DOWNLOAD_BYTES),
            workloads.upload(target, UPLOAD_BYTES),
            workloads.half_close(target),
        ):
            results.append(await work)
            on_result(results[-1])
    return results
