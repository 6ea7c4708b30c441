"""What runs in a worker: take a function and its arguments, answer one by one."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from nymproxy_migrate.workers import limits

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_SECONDS = 60.0
"""A worker that is not needed for so long ends."""

_logger = logging.getLogger("nymproxy.migrate")


def main(descriptor: int) -> None:
    """Work until the other end of a connection is closed.

    Each message is a function and a list of arguments; the answers, one for each argument in their
    order, are a result or a :class:`limits.Failure`, and whether this worker takes more.
    """
    # An interrupt is for the tool, which then closes the connection.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir("/")
    limits.impose()
    with Connection(descriptor) as connection:
        while connection.poll(IDLE_SECONDS):
            try:
                function, arguments = connection.recv()
            except EOFError:
                return
            for argument in arguments:
                answer, goes_on = _answer(function, argument)
                connection.send_bytes(answer)
                if not goes_on:
                    return


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


def start(descriptor: str, verbose: str) -> None:
    """Begin as the process that the pool has started."""
    if verbose:
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("nymproxy").setLevel(logging.DEBUG)
    else:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - it lasts as long as the process
    main(int(descriptor))
