"""The packets of other nodes: read from their connections, processed, and passed on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from nymproxy.localnet.core import Deliver, Forward, KeyRing, PacketProcessor
from nymproxy.localnet.framing import Frame, FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import ByteStream

    from nymproxy.localnet.counters import NodeCounters
    from nymproxy.localnet.links import Outbox
    from nymproxy.localnet.nodes import NodeEnvironment

logger = logging.getLogger("nymproxy.localnet")

READ_BYTES = 32 * 1024
"""About 13 packets: the event loop gets a turn after some 3 ms of Sphinx."""
CONNECTION_LIMIT = 4096


class PacketReceiver:
    """Takes packets from other nodes, and passes on what they become.

    Args:
        keys: the node's Sphinx keys.
        environment: clock and epochs.
        outbox: where forward hops go.
        counters: the node's counters.
        deliver: where final hops go; ``None``: the node is a mix node, and refuses them.
    """

    def __init__(
        self,
        keys: KeyRing,
        environment: NodeEnvironment,
        outbox: Outbox,
        counters: NodeCounters,
        deliver: Callable[[list[Deliver]], None] | None,
    ) -> None:
        self._keys = keys
        self._environment = environment
        self._outbox = outbox
        self._counters = counters
        self._deliver = deliver
        self._connections = 0
        self._processor = PacketProcessor(
            keys,
            counters,
            accepts_forward_hops=deliver is None,
            accepts_final_hops=deliver is not None,
        )

    async def handle(self, stream: ByteStream) -> None:
        """Read one connection to its end."""
        async with stream:
            if self._connections >= CONNECTION_LIMIT:
                return
            self._connections += 1
            decoder = FrameDecoder()
            try:
                while decoder.error is None:
                    self.process(decoder.receive_data(await stream.receive(READ_BYTES)))
                self._counters.event("corrupted_connections")
                logger.warning("a node connection is closed: %s", decoder.error)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass
            finally:
                self._connections -= 1

    def process(self, frames: list[Frame]) -> None:
        """Process a batch of packets."""
        environment = self._environment
        self._keys.update(environment.epochs.schedule, environment.unix_time())
        deliveries: list[Deliver] = []
        for frame in frames:
            outcome = self._processor.process(frame)
            if isinstance(outcome, Forward):
                self._outbox.send(*outcome)
            elif outcome is not None:
                deliveries.append(outcome)
        if deliveries and self._deliver is not None:
            self._deliver(deliveries)
