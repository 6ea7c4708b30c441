"""Which wire the next session to a server takes, where that is left to what the server shows.

The first session with an unknown server is in the legacy format, which every server understands.
One of ours shows in it that it accepts streams, and then gets streams, so that a deployment whose
servers are replaced one after the other needs no second change at its clients. No I/O.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nymproxy.channel.segment import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nymproxy.address import NymAddress
    from nymproxy.channel import PeerMemory
    from nymproxy.legacy.wire import Wire

UNANSWERED_SECONDS = 20.0
"""A server of ours answers a stream at once: one that arrived, and got nothing for so long, was
dialed on the word of somebody else."""
MISTRUST_SECONDS = 600.0
"""So long an address is spoken to in the legacy format, whatever is shown of it."""
MAX_MISTRUSTED = 1024


class WireChooser:
    """Chooses by what servers have shown.

    A trailer has no MAC: a server's gateway can forge it, or keep streams back. So a stream is
    tried, and what follows from that is remembered for a while only, until one was sealed: from
    then on nobody else can answer, and the address is never spoken to in the clear again.

    Args:
        memory: what was learned about servers, by wire.
    """

    def __init__(self, memory: Mapping[Wire, PeerMemory]) -> None:
        self._memory = memory
        self._mistrusted_until: dict[NymAddress, float] = {}

    def choose(self, server: NymAddress, now: float) -> Wire:
        """Return the wire of the next session."""
        if self.is_proven(server):
            return "stream"
        if now < self._mistrusted_until.get(server, -math.inf):
            return "legacy"
        shown = self._memory["legacy"].recall(server)
        return "stream" if shown and Capability.STREAMS in shown else "legacy"

    def is_proven(self, server: NymAddress) -> bool:
        """Tell whether the server itself has taken a stream, as nobody could pretend."""
        return self._memory["stream"].was_sealed(server)

    def refused(self, server: NymAddress, now: float) -> None:
        """Note that a server says that it takes no streams: sealed, if it has sealed one before,
        so that nobody else can have said it."""
        self._memory["stream"].forget_sealed(server)
        self.misled(server, now)

    def misled(self, server: NymAddress, now: float) -> None:
        """Note that a server takes no streams, although it was shown to."""
        self._mistrusted_until.pop(server, None)
        self._mistrusted_until[server] = now + MISTRUST_SECONDS
        if len(self._mistrusted_until) > MAX_MISTRUSTED:
            del self._mistrusted_until[next(iter(self._mistrusted_until))]
