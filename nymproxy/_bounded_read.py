"""Reading files that somebody else may have put there: regular ones, and no more than a limit."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

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
    descriptor = os.open(path, _READ)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", str(path))
    return content
