"""What the library is doing, told while it happens: an operation has started, is complete, failed.

One callable is told of all operations, as in httpcore's ``trace`` extension. It is called in the
task that does the operation, so that what it asks of its surroundings (a context variable, the
current span) is that of the caller. Only the end of a ``stream`` comes from elsewhere::

    def show(event: TraceEvent) -> None:
        print(event.operation, event.phase, dict(event.facts), event.error or "")

    async with await MixnetClient.connect("net.env", trace=show) as client: ...
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_logger = logging.getLogger("nymproxy.tracing")
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One step of one operation.

    Attributes:
        operation: ``connect``, and within it ``connect.directory`` (the topology is fetched) and
            ``connect.gateway`` (a connection, registered or authenticated); ``open_stream``;
            ``stream``, from where a stream is the application's until it is over; and of the TCP
            proxies ``session``, from where a connection has a way to the other side until it is
            over there.
        phase: ``started``, and then one of the others, once.
        number: the same in all events of one operation, and of no other one in this process.
        facts: names and values: ``stream_id`` and ``side`` (``dialer`` or ``acceptor``) of a
            ``stream``, ``session`` (its number in the log) and ``protocol`` (``legacy`` or
            ``stream``) of a ``session``; and at the end of both ``sent_bytes`` and
            ``received_bytes``, as the application saw them. No address, no payload.
        error: what it failed with: the exception that the caller sees, a cancellation too; for a
            ``stream`` and a ``session``, why it was over before its time.
    """

    operation: str
    phase: Literal["started", "complete", "failed"]
    number: int
    facts: Mapping[str, str | int] = field(default_factory=dict)
    error: BaseException | None = None


Trace: TypeAlias = Callable[[TraceEvent], None]
"""Is told of every event. It is quick, and does not wait. What it raises is logged, and changes
nothing."""


class Operation:
    """One operation that has started. Its end is told by :meth:`end`, once."""

    __slots__ = ("_name", "_number", "_trace")

    def __init__(self, trace: Trace, name: str, facts: Mapping[str, str | int]) -> None:
        self._trace = trace
        self._name = name
        self._number = next(_numbers)
        self._tell("started", facts, None)

    def end(self, facts: Mapping[str, str | int], error: BaseException | None) -> None:
        """Tell that it is complete, or with an error that it has failed."""
        self._tell("complete" if error is None else "failed", facts, error)

    def _tell(
        self,
        phase: Literal["started", "complete", "failed"],
        facts: Mapping[str, str | int],
        error: BaseException | None,
    ) -> None:
        try:
            self._trace(TraceEvent(self._name, phase, self._number, facts, error))
        except Exception:  # the application's: it must end nothing of ours
            _logger.exception("the trace hook failed at %s.%s", self._name, phase)


@contextmanager
def traced(trace: Trace | None, name: str) -> Iterator[None]:
    """Tell of a block as an operation; of nothing without a hook."""
    operation = None if trace is None else Operation(trace, name, {})
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        if operation is not None:
            operation.end({}, error)
