"""What came before the keys that open it."""

from __future__ import annotations

from collections import deque

MAX_EARLY_FRAMES = 128
MAX_EARLY_BYTES = 1024 * 1024
EARLY_SECONDS = 30.0


class EarlyFrames:
    """Sealed frames that came before what opens them: few, and not for long."""

    def __init__(self) -> None:
        self._frames: deque[tuple[bytes, float]] = deque()
        self.total_bytes = 0
        """What they take."""

    def add(self, frame: bytes, now: float) -> bool:
        """Keep one; False: there is no room."""
        self._expire(now)
        if len(self._frames) >= MAX_EARLY_FRAMES or self.total_bytes + len(frame) > MAX_EARLY_BYTES:
            return False
        self._frames.append((frame, now))
        self.total_bytes += len(frame)
        return True

    def take(self, now: float) -> list[bytes]:
        """Return, and forget, all that is not too old."""
        self._expire(now)
        frames = [frame for frame, _ in self._frames]
        self._frames.clear()
        self.total_bytes = 0
        return frames

    def _expire(self, now: float) -> None:
        while self._frames and self._frames[0][1] <= now - EARLY_SECONDS:
            frame, _ = self._frames.popleft()
            self.total_bytes -= len(frame)
