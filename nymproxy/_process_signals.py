"""What signals do to a process: before it receives them, while it does, and as it ends."""

from __future__ import annotations

import atexit
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGINT)
_OTHERS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

REPEATED_SECONDS = 0.5
"""GNU ``timeout`` signals its child, and then the group of the child: one wish, two signals."""


class EndingSignal(NamedTuple):
    """A signal to end the process, and when it came, in monotonic seconds."""

    number: signal.Signals
    at: float

    def is_repeated_by(self, later: EndingSignal) -> bool:
        """Tell whether a later one means no more than this one did."""
        return later.number is self.number and later.at - self.at < REPEATED_SECONDS


def ignore_stray_signals() -> None:
    """Let nothing but SIGTERM and SIGINT end the process, until signals are received."""
    _ignore(_OTHERS)


@contextmanager
def received_signals(
    is_ending: Callable[[], bool],
) -> Iterator[AsyncIterator[signal.Signals]]:
    """Receive all signals that mean something, in the event loop of the main thread.

    Args:
        is_ending: at the end of the block: was the process told to end, and does nothing else?
            Then the exit status stays that of an orderly end, however many signals follow. They
            end it at once as long as it may wait for something, such as a thread that resolves a
            name; they do not disturb the end of the interpreter.
    """
    blocked_before = None
    try:
        with anyio.open_signal_receiver(*_ENDING, *_OTHERS) as received:
            try:
                yield received
            finally:
                if is_ending():  # signals have their default effect for a moment
                    blocked_before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING + _OTHERS)
    finally:
        if blocked_before is not None:
            _ignore(_OTHERS)
            for number in _ENDING:
                signal.signal(number, _end_at_once)
            atexit.register(_ignore, _ENDING + _OTHERS)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked_before)


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _ignore(signals: tuple[signal.Signals, ...]) -> None:
    for number in signals:
        signal.signal(number, signal.SIG_IGN)
