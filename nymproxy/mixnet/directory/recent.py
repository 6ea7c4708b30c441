"""What a directory said lately, for clients of one process that start one after the other.

The directory's answers are some hundred kilobytes of JSON, and the same for all of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nymproxy.mixnet.directory.client import DirectoryClient
    from nymproxy.mixnet.directory.node import Node
    from nymproxy.mixnet.directory.rotation import KeyRotationInfo
    from nymproxy.mixnet.directory.topology import Topology

T = TypeVar("T")

RECENT_SECONDS: Final = 60.0
"""A client works with its topology for up to 300 s before it asks for the next one."""


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any
    at: float
    at_unix: float


class RecentAnswers:
    """Asks a directory, and gives its answer again to whoever asks within a minute.

    Not across the end of an epoch, which may bring new keys, and not after a sleep: both clocks
    count, as that of the event loop may stand still meanwhile.

    Args:
        directory: is asked.
        unix_time: wall-clock seconds.
    """

    def __init__(
        self, directory: DirectoryClient, *, unix_time: Callable[[], float] = time.time
    ) -> None:
        self.directory = directory
        self._unix_time = unix_time
        self._answers: dict[str, _Answer] = {}

    async def fetch_topology(self) -> Topology:
        """See :meth:`DirectoryClient.fetch_topology`."""
        return await self._recent("topology", self.directory.fetch_topology)

    async def fetch_key_rotation(self) -> KeyRotationInfo:
        """See :meth:`DirectoryClient.fetch_key_rotation`."""
        return await self._recent("rotation", self.directory.fetch_key_rotation)

    async def fetch_gateways(self) -> list[Node]:
        """See :meth:`DirectoryClient.fetch_gateways`."""
        return await self._recent("gateways", self.directory.fetch_gateways)

    async def _recent(self, what: str, fetch: Callable[[], Awaitable[T]]) -> T:
        answer = self._answers.get(what)
        if answer is None or not self._is_recent(answer):
            value = await fetch()
            answer = _Answer(value, anyio.current_time(), self._unix_time())
            self._answers[what] = answer
        found: T = answer.value
        return found

    def _is_recent(self, answer: _Answer) -> bool:
        now, now_unix = anyio.current_time(), self._unix_time()
        if max(now - answer.at, abs(now_unix - answer.at_unix)) >= RECENT_SECONDS:
            return False
        rotation = self._answers.get("rotation")
        if rotation is None:  # whether an epoch has ended is not known
            return False
        info: KeyRotationInfo = rotation.value
        epochs = [info.expected_epoch(int(at * 1e9)) for at in (answer.at_unix, now_unix)]
        return epochs[0] == epochs[1]
