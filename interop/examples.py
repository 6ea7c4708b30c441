"""The examples of the old module, in their Python form, with a Rust server and with ours."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio

from interop.cells import Server
from interop.echo import echo_service
from interop.programs import INTEROP
from interop.records import ExampleRecord
from nymproxy.errors import NymError

if TYPE_CHECKING:
    from interop.stage import Ends, Network

logger = logging.getLogger("nymproxy.interop")

DIRECTORY = INTEROP.parent / "examples"
EXAMPLES = ("single_connection.py", "multistream.py")
SERVERS = (Server.RUST_PROXY, Server.OURS)
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 120.0


async def _run_example(name: str, address: str, env_file: str) -> str:
    """Run one example; return what was wrong, or nothing."""
    command = [sys.executable, str(DIRECTORY / name), "--server-address", address]
    command += ["--env", env_file, "--pause", str(PAUSE_SECONDS), "--profile", "bare"]
    with anyio.move_on_after(TIMEOUT_SECONDS) as scope:
        done = await anyio.run_process(command, check=False, stderr=subprocess.STDOUT)
        if done.returncode == 0:
            return ""
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"
    assert scope.cancelled_caught
    return f"not done within {TIMEOUT_SECONDS:g} s"


async def run_examples(stage: Ends, network: Network) -> list[ExampleRecord]:
    """Run each example with each server, one after another."""
    records = []
    async with echo_service() as upstream:
        for server in SERVERS:
            for name in EXAMPLES:
                try:
                    async with stage.server(server, network, upstream) as address:
                        problem = await _run_example(name, address, network.env_file)
                except NymError as error:
                    problem = str(error)
                records.append(ExampleRecord(name, server.value, problem or None))
                logger.info("example %s, %s: %s", name, server.value, problem or "ok")
    return records
