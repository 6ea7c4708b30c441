"""Free bandwidth: claimed in portions of 64 GiB, spent by packet length, void at UTC midnight.

Rules of nym-node 1.31.0 (common/credential-verification/src/bandwidth_storage_manager.rs). Sans-IO:
the time is given. Claims are written at once; what packets cost is written by :meth:`save`, so a
killed gateway forgets at most what was spent since, in the client's favour.
"""

from __future__ import annotations

from nymproxy.localnet.gateway_store import Allowance, GatewayStore, utc_day

FREE_BANDWIDTH_BYTES = 64 * 1024**3


class BandwidthMeter:
    """The allowances of the clients that are connected, or were since the gateway started."""

    def __init__(self, store: GatewayStore) -> None:
        self._store = store
        self._allowances: dict[bytes, Allowance] = {}
        self._unsaved: set[bytes] = set()

    def available(self, address: bytes, unix_time: float) -> int:
        """Return what a client may send, in bytes; an expired allowance is 0."""
        allowance = self._allowance(address)
        return allowance.available if allowance.expires_on >= utc_day(unix_time) else 0

    def claim(self, address: bytes, unix_time: float) -> int:
        """Add one portion that ends with the day; returns what is available now."""
        total = self.available(address, unix_time) + FREE_BANDWIDTH_BYTES
        self._allowances[address] = Allowance(total, utc_day(unix_time))
        self._unsaved.add(address)
        self.save()
        return total

    def charge(self, address: bytes, length: int, unix_time: float) -> int | None:
        """Take ``length`` bytes off; returns what is left, or ``None`` if it was not enough."""
        allowance = self._allowance(address)
        today = utc_day(unix_time)
        if allowance.expires_on < today and allowance.available:
            allowance = self._allowances[address] = Allowance(0, today)
            self._unsaved.add(address)
        if allowance.available < length:
            return None
        left = allowance.available - length
        self._allowances[address] = Allowance(left, allowance.expires_on)
        self._unsaved.add(address)
        return left

    def forget(self, address: bytes) -> None:
        """Drop a client's allowance."""
        self._allowances.pop(address, None)
        self._unsaved.discard(address)

    def save(self) -> None:
        """Write what changed to the store."""
        if self._unsaved:
            self._store.save_allowances(
                (address, self._allowances[address]) for address in self._unsaved
            )
            self._unsaved.clear()

    def _allowance(self, address: bytes) -> Allowance:
        allowance = self._allowances.get(address)
        if allowance is None:
            allowance = self._allowances[address] = self._store.allowance(address)
        return allowance
