"""Logs of the commands: to stderr or a file, as text or as JSON lines with fields.

The library itself only ever uses ``logging.getLogger("nymproxy...")``.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from nymproxy._log_fields import ATTRIBUTE
from nymproxy._printable import printable

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = {
    "off": logging.CRITICAL + 1,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}
forward_name: ContextVar[str] = ContextVar("forward_name", default="")
"""Of the forward whose task this is, in a process that has any number of them."""

_SESSION_EVENTS = "session-"
"""What the events of single sessions begin with."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How to log.

    Attributes:
        level: one of :data:`LEVELS`; ``None``: what ``RUST_LOG`` says, else ``info``.
        file: appended to, and opened again when it was moved away; ``None``: stderr.
        as_json: a JSON object a line.
        sessions: whether lines about single sessions are written.
    """

    level: str | None = None
    file: Path | None = None
    as_json: bool = False
    sessions: bool = True


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What a ``RUST_LOG`` text asks for.

    Attributes:
        level: the level without a module filter.
        ignored: the parts that have no meaning here (module filters of Rust crates).
    """

    level: int
    ignored: tuple[str, ...] = ()


def parse_rust_log(text: str | None) -> LogFilter:
    """Read ``RUST_LOG``, e.g. ``debug`` or ``info,nym_sdk=debug``; unset or empty means info."""
    level = logging.INFO
    ignored = []
    for part in (text or "").split(","):
        name = part.strip().lower()
        if name in LEVELS:
            level = LEVELS[name]
        elif name:
            ignored.append(part.strip())
    return LogFilter(level, tuple(ignored))


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    return cast("dict[str, object]", getattr(record, ATTRIBUTE, {}))


def _utc(seconds: float) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{moment}.{int(seconds * 1000) % 1000:03d}Z"


class _TextFormatter(logging.Formatter):
    """One line, which steers no terminal: time (RFC 3339, UTC), level, logger, forward in brackets,
    message."""

    def __init__(self) -> None:
        super().__init__("%(levelname)5s %(name)s%(forward)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        name = forward_name.get()
        is_said = not name or "forward" in _fields_of(record)
        record.forward = "" if is_said else f" [{name}]"
        return f"{_utc(record.created)} {super().format(record)}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Put the line together, without what follows it (a traceback)."""
        return printable(super().formatMessage(record))  # what others say is in some of them


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, forward, the fields of
    the event, and ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({"forward": forward_name.get()} if forward_name.get() else {}),
            **_fields_of(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = repr(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class _NoSessions(logging.Filter):
    """Leaves out what is about a single session."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(_fields_of(record).get("event", "")).startswith(_SESSION_EVENTS)


def set_up_logging(options: LogOptions, *, rust_log: str | None) -> None:
    """Send the logs of nymproxy where they should go; may be called again with other options.

    Raises:
        OSError: the file cannot be opened.
    """
    log_filter = parse_rust_log(rust_log)
    root = logging.getLogger("nymproxy")
    handler = _handler(options.file)
    handler.setFormatter(_JsonFormatter() if options.as_json else _TextFormatter())
    if not options.sessions:
        handler.addFilter(_NoSessions())
    replaced, root.handlers[:] = root.handlers[:], [handler]
    for each in replaced:
        each.close()
    root.propagate = False
    root.setLevel(log_filter.level if options.level is None else LEVELS[options.level])
    if log_filter.ignored:
        root.warning(
            "RUST_LOG: %s name Rust modules and have no effect here",
            ", ".join(log_filter.ignored),
        )


def log_to_stderr() -> None:
    """Send the logs to stderr, until it is known where they should go."""
    set_up_logging(LogOptions(), rust_log=None)


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    from nymproxy.operating.log_file import LogFile

    return LogFile(file)


def write_fatal(line: str, code: str, *, as_json: bool) -> None:
    """Write the one line on stderr that says why a command ends.

    Args:
        line: what happened and what to do.
        code: of the error, as docs/errors.md lists it.
        as_json: as the logs are.
    """
    if as_json:
        entry = {
            "time": _utc(time.time()),
            "level": "error",
            "logger": "nymproxy",
            "message": line,
            "event": "fatal",
            "code": code,
        }
        line = json.dumps(entry, ensure_ascii=False)
    else:
        line = f"nymproxy: {printable(line)}"
    sys.stderr.write(line + "\n")
