"""What we know of our bandwidth at the gateway, and when to ask for more.

Rules of nym-gateway-client 1.21.6 (src/client/mod.rs, src/client/config.rs) and of the gateway's
bookkeeping: a free allowance ends at the next UTC midnight, and the first packet after it is
refused and lost. We claim before that packet instead.
"""

from __future__ import annotations

LOW_BANDWIDTH_BYTES = 40_000_000
"""Below this a client claims more."""

_SECONDS_A_DAY = 86_400
_CLAIM_INTERVAL_SECONDS = 5.0
"""A gateway that always grants too little is not asked before every packet."""


class Allowance:
    """The known bandwidth of one connection and the claim that may be running.

    Every method takes the times it needs: ``now`` is monotonic, ``unix_time`` wall-clock seconds.
    """

    def __init__(self) -> None:
        self.available = 0
        """Bytes, as last reported by the gateway."""
        self.claimed_at: float | None = None
        """When the running claim was sent, None while there is none."""
        self.next_claim_at: float | None = None
        """No claim is sent before, None when the last one brought enough."""
        self._day = -1

    def report(self, available: int) -> None:
        """Take a figure of the gateway."""
        self.available = available
        if available >= LOW_BANDWIDTH_BYTES:
            self.next_claim_at = None

    def report_fresh(self, available: int, unix_time: float) -> None:
        """Take a figure that is known to hold today: after authenticating or claiming."""
        self.available = available
        self._day = int(unix_time // _SECONDS_A_DAY)

    def has_expired(self, unix_time: float) -> bool:
        """Tell whether a UTC midnight has passed since the last fresh figure."""
        return int(unix_time // _SECONDS_A_DAY) > self._day

    def should_claim(self, now: float, unix_time: float) -> bool:
        """Tell whether to send a claim now."""
        if self.claimed_at is not None:
            return False
        if self.next_claim_at is not None and now < self.next_claim_at:
            return False
        return self.available < LOW_BANDWIDTH_BYTES or self.has_expired(unix_time)

    def may_send(self, unix_time: float) -> bool:
        """Tell whether a packet would probably be forwarded."""
        return self.available > 0 and not self.has_expired(unix_time)

    def start_claim(self, now: float) -> None:
        """Record that a claim was sent."""
        self.claimed_at = now

    def finish_claim(self, available: int, now: float, unix_time: float) -> None:
        """Take the answer to the claim."""
        self.claimed_at = None
        self.report_fresh(available, unix_time)
        is_low = available < LOW_BANDWIDTH_BYTES
        self.next_claim_at = now + _CLAIM_INTERVAL_SECONDS if is_low else None
