"""A log in a file, whatever happens to the file. Imported where one is wanted: it costs 20 ms."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from typing import TYPE_CHECKING, Final

from nymproxy._printable import printable

if TYPE_CHECKING:
    import logging
    from io import TextIOWrapper
    from pathlib import Path

SAY_AGAIN_SECONDS: Final = 60.0


def refuse_unread_pipe(path: str) -> None:
    """Refuse a named pipe that nobody reads: to open it would wait for somebody, for ever.

    Raises:
        OSError: it is one.
    """
    try:
        is_pipe = stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return  # whoever opens it is told
    if is_pipe:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            raise OSError(error.errno, "nobody reads this pipe", path) from error


class LogFile(WatchedFileHandler):
    """Appends to a file, and opens it again when it was moved away.

    What keeps a line from being written, such as a full disk or a folder that is gone, is said on
    stderr, once a minute; the line is lost. It ends nothing of what wrote it.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._say_again_at = float("-inf")

    def _open(self) -> TextIOWrapper:
        refuse_unread_pipe(self.baseFilename)
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            super().emit(record)
        except OSError:  # of opening it again, for which logging does not care
            self.handleError(record)

    def close(self) -> None:
        """Close it; what cannot be written any more is lost."""
        with suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Say that a line could not be written."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif time.monotonic() >= self._say_again_at:
            self._say_again_at = time.monotonic() + SAY_AGAIN_SECONDS
            reason = error.strerror or type(error).__name__
            path = printable(self.baseFilename)
            sys.stderr.write(f"nymproxy: the log {path} cannot be written: {reason}\n")
