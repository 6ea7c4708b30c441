"""Errors as an operator sees them: one line that says what to do, and an exit code.

Exit codes: 0 done, 1 the network or a peer did not play along (trying again may help), 2 a wrong
argument, setting or file (trying again will not), 130 interrupted.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

from nymproxy._error_groups import first_cause
from nymproxy._printable import printable
from nymproxy.errors import ClientDisconnected, DeliveryError, NetworkError, NymError, PhaseTimeout

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_TRANSIENT = (NetworkError, DeliveryError, ClientDisconnected, PhaseTimeout)


class WrongUsage(Exception):
    """The arguments cannot be read; the message says why, in one line."""


class Explained(NamedTuple):
    """What an operator is told.

    Attributes:
        line: what happened, and what to do.
        code: of the error.
        exit_code: of the process.
    """

    line: str
    code: str
    exit_code: int


def explain(error: BaseException) -> Explained | None:
    """Return what to say of an error that is no bug of ours, else ``None``."""
    error = first_cause(error)
    if isinstance(error, NymError):
        exit_code = EXIT_FAILED if isinstance(error, _TRANSIENT) else EXIT_USAGE
        return Explained(printable(f"{error} [{error.code}]"), error.code, exit_code)
    if isinstance(error, OSError):
        return Explained(printable(_explain_os_error(error)), "system", EXIT_USAGE)
    if isinstance(error, WrongUsage):
        return Explained(printable(str(error)), "usage", EXIT_USAGE)
    return None


def _explain_os_error(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            "the listening port is taken: stop the program that uses it, choose another one with "
            "--listen-port, or let the system choose with --listen-port 0"
        )
    if error.errno == errno.EACCES and error.filename is None:
        return "no right to listen there: use a port above 1023 with --listen-port"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
