"""A worker's connection where none can be handed down: its standard input and output.

What :mod:`multiprocessing.connection` does elsewhere, for Windows. A thread reads each worker's
answers, since a pipe of a process cannot be waited for there.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

_LENGTH = struct.Struct("!I")
_news = threading.Condition()


def _write(file: IO[bytes], message: bytes) -> None:
    file.write(_LENGTH.pack(len(message)) + message)
    file.flush()


def _read(file: IO[bytes], limit: int = 2**32 - 1) -> bytes:
    """Read a message.

    Raises:
        EOFError: there is none, or not all of it, or it is longer than a limit.
    """
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    message = file.read(length) if length <= limit else b""
    if len(message) < length:
        raise EOFError
    return message


class Connection:
    """The tool's end.

    Args:
        process: a worker with pipes for standard input and output.
        limit: bytes of an answer; a worker that sends more is taken for ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], limit: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from, self._limit = process.stdin, process.stdout, limit
        self._answers: deque[bytes] = deque()
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        # A worker has no more to send than what it was asked, which bounds the answers.
        with self._from, suppress(EOFError, OSError):
            while True:
                answer = _read(self._from, self._limit)
                with _news:
                    self._answers.append(answer)
                    _news.notify_all()
        with _news:
            self._ended = True
            _news.notify_all()

    def send(self, message: object) -> None:
        """Send a message.

        Raises:
            OSError: the worker has ended.
        """
        _write(self._to, pickle.dumps(message))

    def poll(self) -> bool:
        """Tell whether there is an answer, or the end of the worker."""
        return bool(self._answers) or self._ended

    def recv_bytes(self) -> bytes:
        """Return the next answer.

        Raises:
            EOFError: the worker has ended.
        """
        with _news:
            _news.wait_for(self.poll)
            if not self._answers:
                raise EOFError
            return self._answers.popleft()

    def close(self) -> None:
        """Let the worker see the end of its input."""
        with suppress(OSError):
            self._to.close()


def wait(connections: Sequence[Connection], timeout: float) -> list[Connection]:
    """Return those that have an answer or have ended; wait for one, but no longer than so long."""
    with _news:
        _news.wait_for(lambda: any(each.poll() for each in connections), timeout)
        return [each for each in connections if each.poll()]


class ChildConnection:
    """The worker's end; what else is printed there goes nowhere."""

    def __init__(self) -> None:
        self._from = sys.stdin.buffer
        self._to = open(os.dup(sys.stdout.fileno()), "wb")  # noqa: SIM115 - as long as the process
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

    def received(self) -> Iterator[Any]:
        """Yield what is sent until the tool has ended or closed the connection."""
        with suppress(EOFError):
            while True:
                yield pickle.loads(_read(self._from))

    def send_bytes(self, message: bytes) -> None:
        """Send an answer."""
        _write(self._to, message)
