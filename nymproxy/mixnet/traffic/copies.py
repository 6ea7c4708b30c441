"""Copies in place of cover: which fragment leaves a second time when nothing waits to be sent.

With a schedule, a slot in which nothing waits carries cover. It may as well carry another packet of
a small message that is under way: another route, other delays, and the earlier of both arrivals
counts. It costs no packet, and hides no less. There is nothing like it in the Rust client; a Rust
recipient drops the second fragment as it drops any that comes again. It warns of one that comes
again while others of its message are missing (nym-sphinx-chunking 1.21.6, reconstruction.rs), so
only the last that is missing is copied.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from nymproxy.mixnet.traffic.outgoing import PacketKind

if TYPE_CHECKING:
    from nymproxy.mixnet.traffic.outgoing import OutgoingFragment

MAXIMUM_PACKETS: Final = 2
"""Messages of more packets are not copied: they have their own to wait for."""

_KINDS: Final = frozenset((PacketKind.DATA, PacketKind.REPLY))
_MAXIMUM_CANDIDATES: Final = 64


class CopyCandidates:
    """The fragments in flight of which a copy may leave, oldest first; beyond 64 the oldest go.

    Args:
        copies: of each fragment at most.
    """

    __slots__ = ("_copies", "_fragments")

    def __init__(self, copies: int) -> None:
        self._copies = copies
        self._fragments: deque[OutgoingFragment] = deque(maxlen=_MAXIMUM_CANDIDATES)

    def left(self, fragment: OutgoingFragment) -> None:
        """Take a fragment that has just left, for the first time or again."""
        message = fragment.message
        fragment.copies = 0
        if (
            self._copies
            and message.kind in _KINDS
            and message.delivery.packet_count <= MAXIMUM_PACKETS
        ):
            self._fragments.append(fragment)

    def take(self) -> OutgoingFragment | None:
        """Take the next fragment that alone of its message is not acknowledged yet."""
        for _ in range(len(self._fragments)):
            fragment = self._fragments.popleft()
            may_be_copied = fragment.copies < self._copies  # it may stand here twice
            if not may_be_copied or not fragment.in_flight or fragment.is_done:
                continue
            if fragment.message.unacknowledged == 1:
                return fragment
            self._fragments.append(fragment)
        return None

    def copied(self, fragment: OutgoingFragment, acked_from: float) -> None:
        """Record that a copy has left, whose ack cannot come before ``acked_from``."""
        fragment.copies += 1
        fragment.copy_acked_from = min(fragment.copy_acked_from, acked_from)
        if fragment.copies < self._copies:
            self._fragments.append(fragment)
