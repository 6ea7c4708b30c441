"""The keys of the reply SURBs that we gave out, by which replies are recognised and decrypted
(nym-client-core-surb-storage 1.21.6, src/key_storage.rs).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from nymproxy.mixnet.messages.key_table import KeyTable
from nymproxy.mixnet.messages.payload import reply_key_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.address import NymAddress
    from nymproxy.memory_account import MemoryAccount, MemoryShare
    from nymproxy.mixnet.messages.key_table import KeyRecord

_logger = logging.getLogger("nymproxy.messages")

REPLY_KEY_LIFETIME_SECONDS = 24 * 3600.0

_ENTRY_BYTES = 120

_CHARGED_AT_ONCE = 16
"""Replies come in large numbers: the account hears of each sixteenth key that was used."""


class GivenKey(NamedTuple):
    """A reply key, and whom its SURB was given to: ``None`` if that is not known."""

    key: bytes
    given_to: NymAddress | None


@dataclass(slots=True)
class _Holder:
    """One recipient that holds SURBs of ours: how many keys are here, how many came back, and how
    many of this rotation have arrived there and did not come back."""

    number: int
    address: NymAddress | None
    held: int = 0
    used: int = 0
    arrived: int = 0


class ReplyKeyStore:
    """Maps digests to reply keys. Each key is handed out once, and forgotten after 24 hours, or
    when no node has the keys of its SURB's rotation any more.

    It holds at most ``max_keys``. When it is full the oldest key makes room for the new one: a
    reply that uses it later cannot be read, and is asked for again by whoever misses it.

    Args:
        max_keys: bound on the number of keys; an entry takes about 120 bytes.
        lifetime_seconds: age at which an unused key is forgotten.
        memory: where they are charged. They take an eighth of it at most.
    """

    def __init__(
        self,
        *,
        max_keys: int = 131_072,
        lifetime_seconds: float = REPLY_KEY_LIFETIME_SECONDS,
        memory: MemoryAccount | None = None,
    ) -> None:
        self._max_keys = max_keys
        self._share: MemoryShare | None = None
        if memory is not None:
            self._max_keys = min(max_keys, memory.maximum_bytes // 8 // _ENTRY_BYTES)
            self._share = memory.share(None, self._give_back)
        self._lifetime_seconds = lifetime_seconds
        self._table = KeyTable()
        self._holders: dict[NymAddress | None, _Holder] = {}
        self._holder_of_number: dict[int, _Holder] = {}
        self._holder_count = 0
        self.rotation_id = 0
        """The key rotation as far as it was told here."""
        self.displaced = 0
        """Keys that were forgotten early because the store was full."""

    def __len__(self) -> int:
        return self._table.count

    def __repr__(self) -> str:
        return f"ReplyKeyStore({len(self)} keys)"

    def held_by(self, address: NymAddress) -> int:
        """Return how many SURBs of ours a recipient may still use."""
        holder = self._holders.get(address)
        return 0 if holder is None else holder.held

    def surely_held_by(self, address: NymAddress) -> int:
        """Return how many SURBs of ours a recipient has in hand at least: those of this rotation
        that have arrived there and did not come back, of replies on their way alone."""
        holder = self._holders.get(address)
        return 0 if holder is None else min(holder.arrived, holder.held)

    def arrived(self, address: NymAddress, count: int, rotation_id: int) -> None:
        """Record that SURBs of a rotation have reached a recipient."""
        holder = self._holders.get(address)
        if holder is not None and rotation_id == self.rotation_id:
            holder.arrived += count

    def asked_by(self, address: NymAddress) -> None:
        """Record that a recipient asks for SURBs: it knows best how few it has."""
        holder = self._holders.get(address)
        if holder is not None:
            holder.arrived = 0

    def used_by(self, address: NymAddress) -> int:
        """Return how many replies came back from a recipient since it began to hold SURBs of ours
        without a break."""
        holder = self._holders.get(address)
        return 0 if holder is None else holder.used

    def add(
        self,
        keys: Iterable[bytes],
        now: float,
        given_to: NymAddress | None = None,
        rotation_id: int = 0,
    ) -> None:
        """Remember the encryption keys of reply SURBs; call this before the SURBs are sent.

        Args:
            keys: 16 bytes each.
            now: monotonic seconds, never less than before.
            given_to: whom the SURBs go to.
            rotation_id: the key rotation that the SURBs are made for, never less than before.
        """
        self.prune(now)
        self.rotation_id = rotation_id
        displaced_before = self.displaced
        for key in keys:
            digest = reply_key_digest(key)
            self._forget(digest)
            holder = self._holders.get(given_to) or self._new_holder(given_to)
            holder.held += 1
            self._table.add(digest, key, now, holder.number, rotation_id)
            if len(self) > self._max_keys:
                self._displace_oldest()
        self._charge()
        if self.displaced and not displaced_before:
            _logger.warning(
                "more than %d unused reply keys: from now on the oldest are dropped, and replies "
                "that use them are lost",
                self._max_keys,
            )

    def rotated(self, rotation_id: int) -> list[NymAddress]:
        """Forget the keys of SURBs that are dead in this rotation: those of all but it and the one
        before. Returns the recipients that hold no other SURBs of ours."""
        if rotation_id != self.rotation_id:
            self.rotation_id = rotation_id
            for holder in self._holders.values():
                holder.arrived = 0
        emptied: dict[NymAddress, None] = {}
        while (record := self._table.oldest()) is not None:
            if rotation_id - record.rotation_id <= 1:
                break
            holder = self._holder_of_number[record.holder]
            self._forget(reply_key_digest(record.key))
            if not holder.held and holder.address is not None:
                emptied[holder.address] = None
        self._charge()
        return list(emptied)

    def take(self, digest: bytes, now: float) -> GivenKey | None:
        """Return and forget the key with this digest (32 bytes), if there is one."""
        forgotten = self._forget(digest)
        if forgotten is None or now - forgotten[0].added >= self._lifetime_seconds:
            return None
        record, holder = forgotten
        holder.used += 1
        holder.arrived -= 1
        if not len(self) % _CHARGED_AT_ONCE:
            self._charge()
        return GivenKey(record.key, holder.address)

    def prune(self, now: float) -> None:
        """Forget the keys that are older than the lifetime."""
        while (record := self._table.oldest()) is not None:
            if now - record.added < self._lifetime_seconds:
                return
            self._forget(reply_key_digest(record.key))

    def close(self) -> None:
        """Keep and charge nothing any more: the client has ended. See
        :meth:`Reassembler.close <nymproxy.mixnet.messages.reassembly.Reassembler.close>`."""
        self._table = KeyTable()
        self._holders.clear()
        self._holder_of_number.clear()
        if self._share is not None:
            self._share.close()

    def _give_back(self) -> None:
        """Forget the older half of the keys."""
        for _ in range(len(self) // 2):
            self._displace_oldest()
        self._charge()

    def _displace_oldest(self) -> None:
        record = self._table.oldest()
        assert record is not None
        self._forget(reply_key_digest(record.key))
        self.displaced += 1

    def _charge(self) -> None:
        if self._share is not None:
            self._share.hold(len(self) * _ENTRY_BYTES)

    def _new_holder(self, address: NymAddress | None) -> _Holder:
        self._holder_count += 1
        holder = _Holder(self._holder_count, address)
        self._holders[address] = self._holder_of_number[holder.number] = holder
        return holder

    def _forget(self, digest: bytes) -> tuple[KeyRecord, _Holder] | None:
        record = self._table.take(digest)
        if record is None:
            return None
        holder = self._holder_of_number[record.holder]
        holder.held -= 1
        if not holder.held:
            del self._holders[holder.address], self._holder_of_number[holder.number]
        return record, holder
