"""The keys of the reply SURBs that we gave out, by which replies are recognised and decrypted
(nym-client-core-surb-storage 1.21.6, src/key_storage.rs).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.mixnet.messages.payload import reply_key_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

_logger = logging.getLogger("nymproxy.messages")

REPLY_KEY_LIFETIME_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True, repr=False)
class _Entry:
    key: bytes
    added: float


class ReplyKeyStore:
    """Maps digests to reply keys. Each key is handed out once, and forgotten after 24 hours.

    It holds at most ``max_keys``. When it is full the oldest key makes room for the new one: a
    reply that uses it later cannot be read, and is asked for again by whoever misses it.

    Args:
        max_keys: bound on the number of keys; an entry takes about 300 bytes.
        lifetime_seconds: age at which an unused key is forgotten.
    """

    def __init__(
        self,
        *,
        max_keys: int = 131_072,
        lifetime_seconds: float = REPLY_KEY_LIFETIME_SECONDS,
    ) -> None:
        self._max_keys = max_keys
        self._lifetime_seconds = lifetime_seconds
        # In the order of addition, and so of age. (A plain dict takes linear time to find its first
        # entry when earlier ones were deleted.)
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.displaced = 0
        """Keys that were forgotten early because the store was full."""

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"ReplyKeyStore({len(self)} keys)"

    def add(self, keys: Iterable[bytes], now: float) -> None:
        """Remember the encryption keys of reply SURBs; call this before the SURBs are sent.

        Args:
            keys: 16 bytes each.
            now: monotonic seconds, never less than before.
        """
        self.prune(now)
        displaced_before = self.displaced
        for key in keys:
            digest = reply_key_digest(key)
            self._entries.pop(digest, None)
            self._entries[digest] = _Entry(key, now)
            if len(self._entries) > self._max_keys:
                self._entries.popitem(last=False)
                self.displaced += 1
        if self.displaced and not displaced_before:
            _logger.warning(
                "more than %d unused reply keys: from now on the oldest are dropped, and replies "
                "that use them are lost",
                self._max_keys,
            )

    def take(self, digest: bytes, now: float) -> bytes | None:
        """Return and forget the key with this digest (32 bytes), if there is one."""
        entry = self._entries.pop(digest, None)
        if entry is None or now - entry.added >= self._lifetime_seconds:
            return None
        return entry.key

    def prune(self, now: float) -> None:
        """Forget the keys that are older than the lifetime."""
        while self._entries:
            digest, entry = next(iter(self._entries.items()))
            if now - entry.added < self._lifetime_seconds:
                return
            del self._entries[digest]
