"""Old proxies that run on this machine: their command, port and config directory.

Of a process's environment only HOME is taken, because the old server puts its config directory
below it; everything else in there stays unread by this tool.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate import config_dirs
from nymproxy_migrate.finders import COMMAND_PATTERN
from nymproxy_migrate.judge import judge
from nymproxy_migrate.judged import OldInvocation, Role
from nymproxy_migrate.model import (
    Action,
    CommandContext,
    Finding,
    Home,
    HomeSource,
    Safety,
    SourceFile,
    Span,
)
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.rewrite.commands import NAME, CannotRewrite, effective_config_dir, rewrite
from nymproxy_migrate.rules import nym001, nym002, nym050, nym051, nym052
from nymproxy_migrate.words import Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INTERPRETER = re.compile(r"(?:python[\d.]*|pypy[\d.]*|sh|bash|dash|ash|zsh|ksh)$")


@dataclass(frozen=True, slots=True)
class Process:
    """What is known of a running process.

    Attributes:
        pid: its number.
        arguments: its command line.
        user: whose it is; empty when that cannot be told.
        home: HOME in its environment; None when that cannot be read.
        listening: the addresses on which it listens; None when that cannot be read.
    """

    pid: int
    arguments: tuple[str, ...]
    user: str = ""
    home: str | None = None
    listening: tuple[str, ...] | None = None

    @property
    def source(self) -> SourceFile:
        """The command line as a file, so that findings have a place."""
        text = shlex.join(_without_interpreter(self.arguments))
        return SourceFile(f"process:{self.pid}", text.encode("utf-8", "surrogateescape"))


def running() -> Iterator[Process]:
    """Yield the processes of this machine whose command line speaks of an old proxy."""
    import psutil  # type: ignore[import-untyped]

    for process in psutil.process_iter(["cmdline"]):
        arguments = tuple(process.info["cmdline"] or ())
        line = "\0".join(arguments).encode("utf-8", "surrogateescape")
        if not re.search(COMMAND_PATTERN, line):
            continue
        found = Process(process.pid, arguments)
        if _invocation(found) is not None:
            yield _described(process.pid, arguments)


def find(
    processes: Iterable[Process], options: ScanOptions | None = None
) -> Iterator[tuple[SourceFile, list[Finding]]]:
    """Yield each old proxy among some processes with what there is to say about it."""
    for process in processes:
        invocation = _invocation(process)
        if invocation is not None:
            source = process.source
            yield source, list(_findings(process, invocation, source, options or ScanOptions()))


def _findings(
    process: Process, invocation: OldInvocation, source: SourceFile, options: ScanOptions
) -> Iterator[Finding]:
    rule = (nym001 if invocation.role is Role.CLIENT else nym002).RULE
    owner = f" of {process.user}" if process.user else ""
    parts = [f"process {process.pid}{owner} is a running old {invocation.role}"]
    if process.listening is None:
        parts.append("where it listens cannot be read")
    elif process.listening:
        parts.append(f"it listens on {', '.join(process.listening)}")
    parts.append(f"started as: {source.data.decode('utf-8', 'replace')}")
    yield rule.finding(
        source,
        invocation.command.span,
        "; ".join(parts),
        next=_next(invocation, source, options),
        action=Action.REPORT,
        safety=Safety.MANUAL,
        needs_human=True,
    )
    if invocation.role is Role.SERVER:
        yield _config_dir(invocation, source)


def _next(invocation: OldInvocation, source: SourceFile, options: ScanOptions) -> str:
    try:
        new = rewrite(invocation, source.data, replace(options, program=NAME)).text
    except CannotRewrite:
        new = f"nymproxy {invocation.role} with the same flags"
    home = invocation.command.context.home.value
    if invocation.role is Role.SERVER and home is not None:
        new = f"HOME={shlex.quote(home)} {new}"
    return f"Find what starts it and rewrite that; then stop it, and start instead: {new}"


def _config_dir(invocation: OldInvocation, source: SourceFile) -> Finding:
    span = invocation.command.span
    directory = effective_config_dir(invocation)
    if directory is None:
        message = "the config directory is below the HOME of the process, which cannot be read"
        step = "Run this again as the user of the process, or as root."
        return nym051.RULE.finding(source, span, message, next=step)
    if config_dirs.is_config_dir(Path(directory)):
        address, problem = config_dirs.address_of(Path(directory))
        if address is not None:
            message = f"it uses {directory} with the Nym address {address}"
            return nym052.RULE.finding(source, span, message)
        message = f"it uses {directory}, where no Nym address can be read: {problem}"
        return nym052.RULE.finding(source, span, message)
    message = f"the server's keys, and so its Nym address, are in {directory}, as it sees files"
    return nym050.RULE.finding(source, span, message)


def _invocation(process: Process) -> OldInvocation | None:
    """Return the old proxy that a process is; what only starts or wraps one is None."""
    from nymproxy_migrate.formats import shell
    from nymproxy_migrate.formats.text import Text

    data = process.source.data
    home = Home(HomeSource.UNKNOWN)
    if process.home is not None:
        home = Home(HomeSource.LITERAL, process.home)
    for command in shell.find(Text.whole(data), CommandContext("process", home)):
        if not isinstance(command, Command) or command.span != Span(0, len(data)):
            continue
        judged = judge(command)
        if isinstance(judged, OldInvocation) and len(judged.program) == 1:
            return judged
    return None


def _without_interpreter(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command line of a script as if it were a program."""
    name = arguments[0].rpartition("/")[2] if arguments else ""
    is_script = len(arguments) > 1 and not arguments[1].startswith("-")
    return arguments[1:] if is_script and _INTERPRETER.match(name) else arguments


def _described(pid: int, arguments: tuple[str, ...]) -> Process:
    import psutil

    user, home, listening = "", None, None
    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return Process(pid, arguments)
    # Each may belong to somebody else, and the process may have ended: what is known counts.
    with contextlib.suppress(psutil.Error, OSError, KeyError):
        user = process.username()
    with contextlib.suppress(psutil.Error, OSError):
        home = process.environ().get("HOME")
    with contextlib.suppress(psutil.Error, OSError):
        listening = tuple(
            _shown(connection.laddr.ip, connection.laddr.port)
            for connection in process.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
        )
    return Process(pid, arguments, user, home, listening)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
