"""Further keys of channels that have moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.channel.segment import ChannelKey

MAX_ALIASES = 2
"""Of one channel: where it is, and where it was before; beside the key that it was opened with."""


class Aliases:
    """Finds the key that a channel was opened with by the tag that its peer has now."""

    def __init__(self) -> None:
        self._key_of: dict[ChannelKey, ChannelKey] = {}
        self._aliases_of: dict[ChannelKey, list[ChannelKey]] = {}

    def key_of(self, key: ChannelKey) -> ChannelKey:
        """Return the key of a channel by any of its keys."""
        return self._key_of.get(key, key)

    def add(self, alias: ChannelKey, key: ChannelKey) -> None:
        """Add a key; the oldest goes if there are too many."""
        if alias in self._key_of:
            return
        aliases = self._aliases_of.setdefault(key, [])
        self._key_of[alias] = key
        aliases.append(alias)
        if len(aliases) > MAX_ALIASES:
            del self._key_of[aliases.pop(0)]

    def remove(self, key: ChannelKey) -> list[ChannelKey]:
        """Forget a channel; returns its further keys."""
        aliases = self._aliases_of.pop(key, [])
        for alias in aliases:
            del self._key_of[alias]
        return aliases
