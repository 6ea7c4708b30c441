"""What the tests let workers do."""

from __future__ import annotations

import os
import signal
import sys
import threading


def double(number: int) -> int:
    return 2 * number


def process_id(_: object) -> int:
    return os.getpid()


def die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def leave(code: int) -> int:
    os._exit(code)


def crash(_: object) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def time_left(_: object) -> float:
    """Processor time that this piece of work may still take, in seconds."""
    left, _ = signal.getitimer(signal.ITIMER_PROF)
    return left


def spin(seconds: float) -> None:
    """Work for ever, with no more than so much time left."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    while True:
        pass


def wait(_: object) -> None:
    threading.Event().wait()


def fill(_: object) -> int:
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def grow(mebibytes: int) -> int:
    return len(bytearray(mebibytes << 20))


def talk(size: int) -> bytes:
    return bytes(size)


def say(text: str) -> str:
    """Print what goes nowhere."""
    print(text, flush=True)
    os.write(1, text.encode())
    return text


def fail(_: object) -> None:
    raise KeyError("x")


def lack(_: object) -> None:
    raise ModuleNotFoundError("no", name="libcst")


def paths(_: object) -> list[str]:
    return sys.path
