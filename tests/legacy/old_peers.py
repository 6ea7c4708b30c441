"""A small faithful model of the old Rust proxies' logic, defects included.

From nym-sdk 1.21.6 src/tcp_proxy/{utils,tcp_proxy_client,tcp_proxy_server}.rs. It is checked
against traces of the real thing in tests/vectors/test_apis_legacy.py, so that what our side does
to please an old peer is tested against what an old peer does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TICK_MS = 100


class OldMessageBuffer:
    """``MessageBuffer``: what the old proxies do in place of reordering."""

    def __init__(self) -> None:
        self.next_id = 0
        self.waiting: list[tuple[int, bytes | None, float]] = []
        """Message id, data (``None`` is a Close) and the time of arrival in milliseconds."""

    def push(self, message_id: int, data: bytes | None, now_ms: float) -> None:
        self.waiting.append((message_id, data, now_ms))

    def tick(self, now_ms: float) -> tuple[list[bytes], bool]:
        """Return what is written, and whether a Close was due."""
        due = [
            entry
            for entry in self.waiting
            if int((now_ms - entry[2]) / 1000) > 6 or entry[0] <= self.next_id
        ]
        due.sort(key=lambda entry: entry[0])
        written: list[bytes] = []
        written_ids: list[int] = []
        for message_id, data, _ in due:
            if data is None:
                return written, True  # nothing is removed: the next tick writes it all again
            written.append(data)
            written_ids.append(message_id)
        if written_ids:
            self.next_id = written_ids[-1] + 1
            self.waiting = [entry for entry in self.waiting if entry[0] not in written_ids]
        return written, False


@dataclass
class LoopTrace:
    """What one run of an old receiving loop did."""

    writes: list[tuple[float, bytes]] = field(default_factory=list)
    first_close: tuple[float, str] | None = None
    close_reports: int = 0
    left_at_ms: float | None = None
    left_in_buffer: list[int] = field(default_factory=list)


def run_old_loop(
    events: list[tuple[float, int, bytes | None]],
    *,
    side: str,
    until_ms: float,
    tick_ms: float = TICK_MS,
) -> LoopTrace:
    """Run the receiving loop of an old proxy over arrivals ``(at_ms, message id, data)``.

    A tick on each arrival, and one after each 100 ms of silence. The server leaves its loop when
    a tick on an arrival reports a Close; the client never does.
    """
    trace = LoopTrace()
    buffer = OldMessageBuffer()
    arrivals = sorted(events, key=lambda event: event[0])
    now_ms = 0.0
    while now_ms < until_ms and trace.left_at_ms is None:
        if arrivals and arrivals[0][0] <= now_ms + tick_ms:
            at_ms, message_id, data = arrivals.pop(0)
            now_ms, trigger = max(now_ms, at_ms), "arrival"
            buffer.push(message_id, data, now_ms)
        else:
            now_ms, trigger = now_ms + tick_ms, "timer"
        written, closed = buffer.tick(now_ms)
        if b"".join(written):
            trace.writes.append((now_ms, b"".join(written)))
        if closed:
            trace.close_reports += 1
            trace.first_close = trace.first_close or (now_ms, trigger)
            if side == "server" and trigger == "arrival":
                trace.left_at_ms = now_ms
    trace.left_in_buffer = [entry[0] for entry in buffer.waiting]
    return trace
