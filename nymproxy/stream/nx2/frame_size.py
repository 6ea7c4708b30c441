"""How large the frames are that a sealed stream makes: smaller where messages get lost."""

from __future__ import annotations

LEAST_FRAME_BYTES = 4 * 1024
MOST_FRAME_BYTES = 1024 * 1024
"""None at all: the options set less."""
_GROWTH = 16


class FrameSize:
    """The payload of the next frames, by what became of those before.

    A frame of 32 KiB takes 21 packets and needs all of them. Where a gateway loses 3 % of what it
    has acknowledged, every other one fails, and the next attempt no less; frames of three packets
    nearly all arrive.
    """

    def __init__(self) -> None:
        self.payload_bytes = MOST_FRAME_BYTES
        """The largest payload that is advisable."""

    def arrived(self) -> None:
        """Note that the peer has a frame that was sent once."""
        self.payload_bytes = min(
            self.payload_bytes + self.payload_bytes // _GROWTH, MOST_FRAME_BYTES
        )

    def lost(self, size: int) -> None:
        """Note that a frame of that many bytes was lost though its packets were acknowledged."""
        self.payload_bytes = max(LEAST_FRAME_BYTES, min(self.payload_bytes, size) // 2)
