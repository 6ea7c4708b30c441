"""Messages that a gateway has handed over and that nobody has taken yet. No I/O."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nymproxy.memory_account import MemoryAccount

MAX_BACKLOG_BYTES: Final = 64 * 1024 * 1024
"""Most that is kept of the messages that one gateway had stored for us."""

_OVERHEAD_BYTES: Final = 64
"""What a message costs beside its bytes, of which it may have none."""

_PART_OF_ACCOUNT: Final = 0.5
"""How full the account may be made with what gateways had stored: the rest is for peers, who lose
what they have when it is full."""


class Backlog:
    """The messages of one client, in order.

    Attributes:
        messages: to be taken from the left; call :meth:`taken` then.

    Args:
        memory: where they are charged.
    """

    def __init__(self, memory: MemoryAccount | None = None) -> None:
        self.messages: deque[bytes] = deque()
        self._memory = memory
        self._share = None if memory is None else memory.share(None)
        self._stored_bytes = 0

    def store(self, message: bytes) -> bool:
        """Keep one of the messages that come while a connection is made, all of them at once;
        False: there is no room."""
        size = len(message) + _OVERHEAD_BYTES
        if self._stored_bytes + size > MAX_BACKLOG_BYTES or self._is_account_full(size):
            return False
        self.messages.append(message)
        self._charge(self._stored_bytes + size)
        return True

    def taken(self) -> None:
        """Take note that all messages were taken."""
        if self._stored_bytes:
            self._charge(0)

    def close(self) -> None:
        """Charge nothing any more."""
        if self._share is not None:
            self._share.close()

    def _is_account_full(self, size: int) -> bool:
        memory = self._memory
        return (
            memory is not None
            and memory.used_bytes + size > memory.maximum_bytes * _PART_OF_ACCOUNT
        )

    def _charge(self, stored_bytes: int) -> None:
        self._stored_bytes = stored_bytes
        if self._share is not None:
            self._share.hold(stored_bytes)
