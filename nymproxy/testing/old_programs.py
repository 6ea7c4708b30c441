"""The published proxies of nym-sdk as child processes, ready when their logs say so.

They announce themselves in their logs only: the server with ``Client created: ADDRESS``, the client
with the last line that a Rust client logs while it starts (nym-sdk 1.21.6).
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import PhaseTimeout
from nymproxy.testing.processes import ChildFailed, stopped_at_the_end
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from anyio.abc import Process, TaskStatus

READY_SECONDS = 60.0
_CLIENT_STARTED = re.compile(rb"Starting loop cover traffic stream")
_SERVER_STARTED = re.compile(rb"Client created: (\S+)")


@dataclass(frozen=True, slots=True)
class OldServer:
    """A running ``nym-proxy-server``: its process and its Nym address."""

    process: Process
    address: str


@dataclass(frozen=True, slots=True)
class OldClient:
    """A running ``nym-proxy-client``: its process, and where applications connect to."""

    process: Process
    target: Target


@asynccontextmanager
async def old_server(
    program: Path,
    env_file: str | Path,
    upstream: str,
    directory: Path,
    flags: Sequence[str] = (),
) -> AsyncIterator[OldServer]:
    """Run a published server with its keys in a directory, which need not be there.

    Raises:
        PhaseTimeout: it is not ready in time.
        ChildFailed: it ends before it is ready; its log is beside the directory.
    """
    # The old server glues -c to $HOME as text.
    arguments = ["-u", upstream, "-c", f"/{directory.name}", "-e", str(env_file), *flags]
    log = directory.with_name(f"{directory.name}.log")
    async with _started(program, arguments, directory.parent, log, _SERVER_STARTED) as started:
        process, address = started
        yield OldServer(process, address)


@asynccontextmanager
async def old_client(
    program: Path, env_file: str | Path, address: str, home: Path, flags: Sequence[str] = ()
) -> AsyncIterator[OldClient]:
    """Run a published client of a server, with a home of its own.

    Raises:
        PhaseTimeout: it is not ready in time.
        ChildFailed: it ends before it is ready; its log is in the home.
    """
    port = _free_port()
    arguments = ["-s", address, "-e", str(env_file), "--listen-port", str(port), *flags]
    async with _started(program, arguments, home, home / "log", _CLIENT_STARTED) as started:
        yield OldClient(started[0], Target("127.0.0.1", port))


@asynccontextmanager
async def _started(
    program: Path, arguments: Sequence[str], home: Path, log: Path, ready: re.Pattern[bytes]
) -> AsyncIterator[tuple[Process, str]]:
    """Run a program until the block ends; ready when a line of its log matches.

    Gives the process, and the pattern's first group or nothing.
    """
    process = await anyio.open_process(
        [str(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(home), "RUST_LOG": "info"},
        start_new_session=True,
    )
    # The old server ends on SIGINT only after its sessions; SIGTERM ends it at once.
    async with stopped_at_the_end(process), anyio.create_task_group() as tasks:
        with anyio.move_on_after(READY_SECONDS) as scope:
            found = await tasks.start(_follow_log, process, log, ready)
        if scope.cancelled_caught:
            raise PhaseTimeout(f"{program.name} was not ready in time ({log})")
        yield process, found
        tasks.cancel_scope.cancel()


async def _follow_log(
    process: Process, log: Path, ready: re.Pattern[bytes], *, task_status: TaskStatus[str]
) -> None:
    assert process.stderr is not None
    seen: bytes | None = b""
    with log.open("wb") as file:
        async for data in process.stderr:
            file.write(data)
            if seen is None:
                continue
            seen += data
            whole_lines = seen[: seen.rfind(b"\n") + 1]
            if match := ready.search(whole_lines):
                task_status.started(match[1].decode() if match.groups() else "")
                seen = None
    if seen is not None:
        raise ChildFailed(f"the program ended before it was ready ({log})")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
