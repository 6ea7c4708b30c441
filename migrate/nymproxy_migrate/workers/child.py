"""What runs in a worker: take a function and its arguments, answer one by one."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from nymproxy_migrate.workers import limits
from nymproxy_migrate.workers.piped import ChildConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Message = tuple["Callable[[Any], Any]", list[Any]]

IDLE_SECONDS = 60.0
"""A worker that is not needed for so long ends."""

_logger = logging.getLogger("nymproxy.migrate")


def main(messages: Iterator[_Message], send: Callable[[bytes], object]) -> None:
    """Work until there are no more messages.

    Each is a function and a list of arguments; the answers, one for each argument in their order,
    are a result or a :class:`limits.Failure`, and whether this worker takes more.
    """
    # An interrupt is for the tool, which then closes the connection.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir("/")
    limits.impose()
    for function, arguments in messages:
        for argument in arguments:
            answer, goes_on = _answer(function, argument)
            send(answer)
            if not goes_on:
                return


def _received(connection: Connection) -> Iterator[_Message]:
    with suppress(EOFError):
        while connection.poll(IDLE_SECONDS):
            yield connection.recv()


def _answer(function: Callable[[Any], Any], argument: object) -> tuple[bytes, bool]:
    result: object
    limits.start_timer()
    try:
        result = function(argument)
    except MemoryError:
        result = limits.OUT_OF_MEMORY
    except ModuleNotFoundError as error:
        result = limits.Missing(error.name or str(error))
    except Exception as error:  # parsers have their own, and hostile files find others
        _logger.debug("%r of %r fails", function, argument, exc_info=True)
        said = f"it cannot be judged ({type(error).__name__})"
        result = limits.Failure(said, is_over_a_limit=False)
    finally:
        limits.stop_timer()
    goes_on = result is not limits.OUT_OF_MEMORY and limits.peak_bytes() < limits.RETIRED_AT_BYTES
    try:
        answer = pickle.dumps((result, goes_on))
    except (MemoryError, RecursionError):
        goes_on, answer = False, pickle.dumps((limits.OUT_OF_MEMORY, False))
    if len(answer) > limits.ANSWER_BYTES:
        answer = pickle.dumps((limits.TOO_MUCH_FOUND, goes_on))
    return answer, goes_on


def start(verbose: str, descriptor: str) -> None:
    """Begin as the process that the pool has started.

    Args:
        verbose: if not empty, the log goes to standard error.
        descriptor: of the connection; without one, that is standard input and output.
    """
    if verbose:
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("nymproxy").setLevel(logging.DEBUG)
    else:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - it lasts as long as the process
    if descriptor:
        with Connection(int(descriptor)) as connection:
            main(_received(connection), connection.send_bytes)
    else:
        piped = ChildConnection()
        main(piped.received(), piped.send_bytes)
