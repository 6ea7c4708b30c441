"""Logs of the commands: to stderr, as text or as JSON lines, with the level from ``RUST_LOG``.

The library itself only ever uses ``logging.getLogger("nymproxy...")``.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import dataclass

_LEVELS = {
    "off": logging.CRITICAL + 1,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}


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
        if name in _LEVELS:
            level = _LEVELS[name]
        elif name:
            ignored.append(part.strip())
    return LogFilter(level, tuple(ignored))


def _utc(record: logging.LogRecord) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{moment}.{int(record.msecs):03d}Z"


class _TextFormatter(logging.Formatter):
    """One line: time (RFC 3339, UTC), level, logger, message."""

    def __init__(self) -> None:
        super().__init__("%(levelname)5s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return f"{_utc(record)} {super().format(record)}"


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, and ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _utc(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = repr(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(*, as_json: bool, rust_log: str | None) -> None:
    """Send the logs of nymproxy to stderr."""
    log_filter = parse_rust_log(rust_log)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    root = logging.getLogger("nymproxy")
    root.handlers[:] = [handler]
    root.propagate = False
    root.setLevel(log_filter.level)
    if log_filter.ignored:
        root.warning(
            "RUST_LOG: %s name Rust modules and have no effect here",
            ", ".join(log_filter.ignored),
        )
