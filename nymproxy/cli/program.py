"""The ``nymproxy`` program: reads its arguments, does what they say, and reports what went wrong.

The parser and what it loads take 11 MiB, for a second. So a process that is to run for long has its
arguments read by a short-lived copy of itself, and never loads them.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from typing import TYPE_CHECKING

from nymproxy._error_groups import first_cause
from nymproxy._lazy import put_off
from nymproxy._standard_streams import discard_output, open_standard_streams
from nymproxy.cli import outcome
from nymproxy.cli.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable

_LONG_RUNNING = frozenset({"client", "server", "run"})


def run(arguments: list[str] | None = None) -> int:
    """Run the command with ``arguments`` and return its exit code.

    Args:
        arguments: by default those of the process, which has them read apart if it can.
    """
    reads_apart = arguments is None and hasattr(os, "fork")
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    open_standard_streams()
    read = _read_apart if reads_apart and arguments[0] in _LONG_RUNNING else _read
    result = _guarded(lambda: read(arguments), arguments)
    if isinstance(result, Job):
        if reads_apart:
            # Websockets imports it for its development versions alone, with email and zipfile.
            put_off("importlib.metadata")
        result = _guarded(result.run, arguments)
    return result if isinstance(result, int) else outcome.EXIT_OK


def _guarded(work: Callable[[], Job | int | None], arguments: list[str]) -> Job | int | None:
    """Return what ``work`` returns, or the exit code of what it raises, which is reported."""
    try:
        return work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else outcome.EXIT_FAILED
    except KeyboardInterrupt:
        return outcome.EXIT_INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return outcome.EXIT_FAILED
    except Exception as error:  # whatever is left is reported in one line; --debug shows it all
        return _report(error, arguments)


def _read(arguments: list[str]) -> Job | int:
    try:
        from nymproxy.cli.app import read
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "nymproxy":
            raise
        raise outcome.WrongUsage(
            f"the module {error.name} is missing: nymproxy was installed as a library. The command "
            "needs the extra 'cli' (nymproxy[cli])"
        ) from error
    return read(arguments)


def _read_apart(arguments: list[str]) -> Job | int | None:
    """Do the same in a child, which says by itself what cannot be read."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            answer = pickle.dumps(_guarded(lambda: _read(arguments), arguments))
            sys.stdout.flush()
            with open(writer, "wb") as pipe:
                pipe.write(answer)
        finally:
            os._exit(outcome.EXIT_OK)  # what the parent does at its exit is not done twice
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    result: Job | int | None = pickle.loads(answer) if answer else outcome.EXIT_FAILED
    return result


def _report(error: BaseException, arguments: list[str]) -> int:
    from nymproxy.operating.logs import write_fatal

    if "--debug" in arguments:
        traceback.print_exception(error)
    explained = outcome.explain(error)
    if explained is None:
        name = type(first_cause(error)).__name__
        explained = outcome.Explained(
            f"a bug in nymproxy ({name}): run it again with --debug and report what it prints",
            "bug",
            outcome.EXIT_FAILED,
        )
    write_fatal(explained.line, explained.code, as_json="--json" in arguments)
    return explained.exit_code
