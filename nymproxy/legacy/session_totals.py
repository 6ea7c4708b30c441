"""What the sessions of a proxy that are over have done together. No I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.forward.forwarder import ForwardResult


@dataclass(slots=True)
class SessionTotals:
    """Counts since the proxy began.

    Attributes:
        began: sessions that were begun.
        ended: those that are over, by reason: a value of
            :class:`~nymproxy.forward.forwarder.ForwardEnd`, ``refused`` (no upstream, or not
            allowed) or ``failed`` (before a byte could go).
        bytes_to_peer: of those that are over, read from the TCP side.
        bytes_from_peer: of those that are over, written to the TCP side.
    """

    began: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    bytes_to_peer: int = 0
    bytes_from_peer: int = 0

    def add(self, result: ForwardResult) -> None:
        """Count a session that was carried to its end."""
        self.ended[result.end.value] += 1
        self.bytes_to_peer += result.bytes_to_channel
        self.bytes_from_peer += result.bytes_to_socket
