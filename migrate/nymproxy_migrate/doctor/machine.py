"""This machine: versions, old programs, the port to listen on, the service behind the server."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio

from nymproxy import __version__
from nymproxy_migrate import names
from nymproxy_migrate.doctor.endpoint import reason_of, why_unreachable
from nymproxy_migrate.doctor.model import Check, Verdict
from nymproxy_migrate.installing import INSTALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy_migrate.doctor.endpoint import Endpoint

PYTHON = "python"
NYMPROXY = "nymproxy"
OLD_PROGRAMS = "old-programs"
PORT = "listen-port"
UPSTREAM = "upstream"

_OLDEST_PYTHON = (3, 11)


def judge_python(version: tuple[int, ...], text: str) -> Check:
    """Judge the version of Python."""
    if version < _OLDEST_PYTHON:
        return Check(PYTHON, Verdict.FAIL, f"{text}; nymproxy needs 3.11", "install Python 3.11")
    return Check(PYTHON, Verdict.OK, text)


def check_python() -> Check:
    """Look at the Python that runs this."""
    return judge_python(sys.version_info[:2], f"{platform.python_version()}")


async def check_nymproxy() -> Check:
    """Ask the program that rewritten commands start for its version."""
    program = shutil.which("nymproxy")
    if program is None:
        return judge_nymproxy(None, "")
    done = await anyio.run_process(
        [program, "--version"], check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return judge_nymproxy(program, done.stdout.decode("utf-8", "replace").strip())


def judge_nymproxy(program: str | None, answer: str) -> Check:
    """Judge what ``nymproxy --version`` says."""
    if program is None:
        return Check(
            NYMPROXY,
            Verdict.WARN,
            f"{__version__} is installed, but no nymproxy is on PATH: rewritten commands start it",
            f"add its folder to the PATH of the user who runs it, or: {INSTALL}",
        )
    if answer != f"nymproxy {__version__}":
        return Check(
            NYMPROXY,
            Verdict.WARN,
            f"nymproxy on PATH is another version than this tool, {__version__}",
            "install both from the same release",
            detail=f"{program}: {answer[:80]}",
        )
    return Check(NYMPROXY, Verdict.OK, __version__, detail=program)


def check_old_programs() -> Check:
    """Look for the old programs on PATH. They are not started."""
    known = sorted(names.CLIENTS | names.SERVERS)
    return judge_old_programs([name for name in known if shutil.which(name)])


def judge_old_programs(found: Sequence[str]) -> Check:
    """Judge the old programs that are there."""
    if not found:
        return Check(OLD_PROGRAMS, Verdict.OK, "none on PATH")
    return Check(
        OLD_PROGRAMS,
        Verdict.WARN,
        f"on PATH: {', '.join(found)}; what is not rewritten still starts them",
        "nymproxy-migrate scan --live (names those that run)",
    )


def check_port(address: str, port: int | None) -> Check:
    """Bind to the port as the client will, and let go of it again."""
    if port is None:
        return Check(PORT, Verdict.SKIPPED, "none given (--listen-port)")
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as listener:
            # A port that only waits for old connections to end is free to a server.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen()
    except OSError as error:
        return judge_port(port, reason_of(error))
    return judge_port(port, None)


def judge_port(port: int, problem: str | None) -> Check:
    """Judge whether the client can listen."""
    if problem is None:
        return Check(PORT, Verdict.OK, f"{port} is free")
    return Check(
        PORT,
        Verdict.FAIL,
        f"{port} cannot be listened on: {problem}",
        f"see who has it (ss -ltnp 'sport = :{port}') and stop that, or take another port",
    )


async def check_upstream(endpoint: Endpoint | None) -> Check:
    """Connect to the service that the server carries connections to."""
    if endpoint is None:
        return Check(UPSTREAM, Verdict.SKIPPED, "none given (--upstream-tcp-address)")
    return judge_upstream(endpoint, await why_unreachable(endpoint))


def judge_upstream(endpoint: Endpoint, problem: str | None) -> Check:
    """Judge the connection to the service."""
    if problem is None:
        return Check(UPSTREAM, Verdict.OK, "it takes connections", detail=str(endpoint))
    return Check(
        UPSTREAM,
        Verdict.FAIL,
        f"it takes no connection: {problem}",
        "start the service, or correct --upstream-tcp-address",
        detail=str(endpoint),
    )
