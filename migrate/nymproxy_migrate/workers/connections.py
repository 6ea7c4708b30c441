"""Starting a worker with a connection to it: a descriptor that it inherits, or what Windows has."""

from __future__ import annotations

import os
import subprocess
from multiprocessing import connection as inherited
from typing import TYPE_CHECKING, cast

from nymproxy_migrate.workers import limits, piped

if TYPE_CHECKING:
    from collections.abc import Sequence

    Connection = inherited.Connection | piped.Connection

_INHERITS = hasattr(os, "fork")
_MOST_BYTES = 2 * limits.ANSWER_BYTES


def start(command: Sequence[str], stderr: int | None) -> tuple[subprocess.Popen[bytes], Connection]:
    """Start a worker.

    Args:
        command: without its last argument: the descriptor of its connection, or nothing when that
            is its standard input and output.
        stderr: as :class:`subprocess.Popen` takes it.
    """
    if not _INHERITS:
        pipe = subprocess.PIPE
        process = subprocess.Popen([*command, ""], stdin=pipe, stdout=pipe, stderr=stderr)
        return process, piped.Connection(process, _MOST_BYTES)
    ours, theirs = inherited.Pipe()
    with theirs:
        process = subprocess.Popen(
            [*command, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=[theirs.fileno()],
        )
    return process, ours


def receive(connection: Connection) -> bytes:
    """Return the next answer.

    Raises:
        EOFError, OSError: the worker has ended, or sends more than it may.
    """
    if isinstance(connection, piped.Connection):
        return connection.recv_bytes()
    return connection.recv_bytes(_MOST_BYTES)


def wait(connections: Sequence[Connection], timeout: float) -> Sequence[Connection]:
    """Return those that have an answer or have ended; wait for one, but no longer than so long."""
    if not _INHERITS:
        return piped.wait(cast("Sequence[piped.Connection]", connections), timeout)
    own = cast("list[inherited.Connection]", connections)
    return cast("list[Connection]", inherited.wait(own, timeout))
