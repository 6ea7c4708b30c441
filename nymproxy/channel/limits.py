"""How much all channels of one client may hold together."""

from __future__ import annotations

from dataclasses import dataclass, field

from nymproxy.channel.orphans import OrphanLimits
from nymproxy.channel.rules import KIB, MIB


@dataclass(frozen=True, slots=True)
class TableLimits:
    """Bounds of one client.

    Attributes:
        channels: open at the same time; a peer's Open beyond it is refused.
        unclaimed_seconds: how long an Open waits for a listener to be made.
        unclaimed: how many of them.
        unclaimed_payload_bytes: largest payload of one of them.
        backlog_bytes: held by channels that wait to be accepted, all together.
        stray_messages: answers that wait to be sent outside of any channel.
        orphans: of frames that came before their Open.
        tombstone_seconds: how long the id of a channel that is over is remembered.
        tombstones: how many.
    """

    channels: int = 1024
    unclaimed_seconds: float = 5.0
    unclaimed: int = 128
    unclaimed_payload_bytes: int = 64 * KIB
    backlog_bytes: int = 64 * MIB
    stray_messages: int = 256
    orphans: OrphanLimits = field(default_factory=OrphanLimits)
    tombstone_seconds: float = 600.0
    tombstones: int = 10_000

    @property
    def unconfirmed(self) -> int:
        """Channels whose dialers have not shown yet that they are there; for one more the oldest
        goes."""
        return max(1, self.channels // 4)
