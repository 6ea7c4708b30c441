"""Reading files that somebody else may have put there, or that a user names: no more than a limit,
and for no longer than a while."""

from __future__ import annotations

import errno
import logging
import os
import select
import stat
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_logger = logging.getLogger("nymproxy")

PIPE_SECONDS: Final = 30.0
"""For so long a pipe that a user names is waited for, to its end."""
_TELL_SECONDS: Final = 1.0

# Neither flag is on every system. Descriptors are closed on exec anyway (PEP 446).
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_regular(path: Path, limit: int) -> bytes:
    """Read a file.

    Args:
        path: the file, or a link to one.
        limit: largest size, in bytes.

    Raises:
        OSError: it cannot be read, is larger, or is no regular file. Nothing is waited for: a pipe
            without a writer is refused like a device.
    """
    return _read(path, limit, None)


def read_named(path: Path, limit: int, *, wait_seconds: float = PIPE_SECONDS) -> bytes:
    """Read what a user has named: a file, or a pipe or device to its end, as ``<(...)`` of a shell.

    The thread waits for the end of a pipe, and signals do what they do to it meanwhile; after a
    second the log says for what.

    Args:
        path: the file.
        limit: largest size, in bytes.
        wait_seconds: for how long the end of a pipe is waited for.

    Raises:
        OSError: it cannot be read, is larger, or has not come to its end in that time.
    """
    return _read(path, limit, wait_seconds)


def _read(path: Path, limit: int, wait_seconds: float | None) -> bytes:
    descriptor = os.open(path, _READ)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if stat.S_ISREG(mode):
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(limit + 1)
        elif wait_seconds is None or not hasattr(select, "poll"):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        else:
            content = _read_to_end(descriptor, path, limit + 1, wait_seconds)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", str(path))
    return content


def _read_to_end(descriptor: int, path: Path, most: int, wait_seconds: float) -> bytes:
    """Read up to so many bytes of what may have none yet, not even a writer."""
    poller = select.poll()  # unlike a read, it tells a pipe without a writer from one at its end
    poller.register(descriptor, select.POLLIN)
    now = time.monotonic()
    tell_at, deadline = now + _TELL_SECONDS, now + wait_seconds
    content = bytearray()  # a pipe gives little at a time
    while len(content) < most:
        until = min(tell_at, deadline)
        if poller.poll(max(0.0, until - now) * 1000):
            data = os.read(descriptor, most - len(content))
            if not data:
                break
            content += data
        elif until == deadline:
            why = f"its end did not come within {wait_seconds:g} s"
            raise TimeoutError(errno.ETIMEDOUT, why, str(path))
        else:
            tell_at = deadline
            _logger.warning("waiting for the end of what is written to %s", path)
        now = time.monotonic()
    return bytes(content)
