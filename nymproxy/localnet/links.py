"""Links to other nodes: one managed connection per peer, and the delays before them.

Behaviour of nym-mixnet-client 1.21.6 (src/client.rs): a bounded queue that drops the newest packet,
a connection made by the first packet and kept open, a back-off after connections that time out.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from nymproxy._backoff import doubled
from nymproxy._signal import Signal
from nymproxy.localnet.counters import Direction, DropReason, NodeCounters
from nymproxy.localnet.delayer import Delayer
from nymproxy.localnet.framing import Frame, FrameVersion, encode_frame
from nymproxy.mixnet.sphinx import NodeAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import ByteStream, TaskGroup

    from nymproxy.localnet.fault_gates import FaultGate, FaultGates

logger = logging.getLogger("nymproxy.localnet")

QUEUE_LIMIT = 2000
LINK_LIMIT = 1024
CONNECT_TIMEOUT_SECONDS = 1.5
IDLE_SECONDS = 300.0
_FIRST_BACKOFF_SECONDS = 10.0
_LONGEST_BACKOFF_SECONDS = 300.0
_BATCH_BYTES = 128 * 1024


class Link:
    """The packets on their way to one peer. :meth:`offer` never waits; :meth:`run` writes."""

    def __init__(
        self, address: NodeAddress, gate: FaultGate, counters: NodeCounters, version: FrameVersion
    ) -> None:
        self.address = address
        self.gate = gate
        self._counters = counters
        self._version = version
        self._queue: deque[Frame] = deque()
        self._filled = Signal()
        self._connection_scope: anyio.CancelScope | None = None
        self._timed_out_attempts = 0
        self._is_used = False

    def offer(self, frame: Frame) -> None:
        """Queue a packet; when the queue is full it is dropped and counted."""
        if len(self._queue) >= QUEUE_LIMIT:
            self._counters.drop(DropReason.QUEUE_FULL)
            return
        if not self._queue:
            self._filled.set()
        self._queue.append(frame)

    def disconnect(self) -> None:
        """Abort the connection; the next packet makes a new one."""
        if self._connection_scope is not None:
            self._connection_scope.cancel()

    def drop_queue(self, reason: DropReason) -> None:
        """Forget all that is queued."""
        self._counters.drop(reason, len(self._queue))
        self._queue.clear()

    async def run(self) -> None:
        """Connect whenever packets wait, and write them, until cancelled."""
        while True:
            await self._wait_for_packets()
            if self._timed_out_attempts:
                await anyio.sleep(
                    doubled(
                        _FIRST_BACKOFF_SECONDS, self._timed_out_attempts, _LONGEST_BACKOFF_SECONDS
                    )
                )
            stream = await self._connect()
            if stream is None:
                self.drop_queue(DropReason.CONNECTION_LOST)
                continue
            self._timed_out_attempts = 0
            async with stream, anyio.create_task_group() as task_group:
                self._connection_scope = task_group.cancel_scope
                try:
                    task_group.start_soon(self._watch_for_end, stream, task_group.cancel_scope)
                    task_group.start_soon(self._close_when_idle, task_group.cancel_scope)
                    await self._write_batches(stream)
                    task_group.cancel_scope.cancel()
                finally:
                    self._connection_scope = None

    async def _wait_for_packets(self) -> None:
        if not self._queue:
            await self._filled.wait()

    async def _connect(self) -> ByteStream | None:
        try:
            with anyio.fail_after(CONNECT_TIMEOUT_SECONDS):
                stream = await anyio.connect_tcp(str(self.address.ip), self.address.port)
        except TimeoutError:
            self._timed_out_attempts += 1
        except OSError as error:
            # A refusal does not lengthen the back-off: a peer that restarts is found at once.
            logger.debug("cannot connect to %s: %s", self.gate.target, error)
        else:
            self._counters.event("links_opened")
            return stream
        return None

    async def _write_batches(self, stream: ByteStream) -> None:
        """Write batches until the connection is lost."""
        while True:
            await self._wait_for_packets()
            self._is_used = True
            batch = self._take_batch()
            sent = False
            try:
                await stream.send(b"".join([encode_frame(item, self._version) for item in batch]))
                sent = True
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return
            finally:
                if not sent:
                    self._counters.drop(DropReason.CONNECTION_LOST, len(batch))
            for item in batch:
                self._counters.add(Direction.FORWARDED, item.size)

    def _take_batch(self) -> list[Frame]:
        batch: list[Frame] = []
        room = _BATCH_BYTES
        while self._queue and room > 0:
            frame = self._queue.popleft()
            room -= len(frame.packet)
            batch.append(frame)
        return batch

    async def _close_when_idle(self, scope: anyio.CancelScope) -> None:
        """End the connection once nothing was sent for a whole interval.

        A timer for each wait of the writer would cost as much as the wait itself.
        """
        self._is_used = True
        while self._is_used:
            self._is_used = False
            await anyio.sleep(IDLE_SECONDS)
        scope.cancel()

    async def _watch_for_end(self, stream: ByteStream, scope: anyio.CancelScope) -> None:
        """Read, only to notice that the peer has closed; what it sends means nothing."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                await stream.receive()
        scope.cancel()


class Outbox:
    """Everything a node sends to other nodes: faults, delays, then the links.

    Args:
        node: the node's name.
        name_of: returns the name of the node that listens on an address.
        gates: where the links' fault gates come from.
        counters: the node's counters.
        clock: monotonic seconds, the event loop's.
        version: the frame form to write.
    """

    def __init__(
        self,
        node: str,
        name_of: Callable[[NodeAddress], str],
        gates: FaultGates,
        counters: NodeCounters,
        *,
        clock: Callable[[], float] = anyio.current_time,
        version: FrameVersion = FrameVersion.CURRENT,
    ) -> None:
        self._node = node
        self._name_of = name_of
        self._gates = gates
        self._counters = counters
        self._clock = clock
        self._version = version
        self._links: dict[bytes, Link] = {}
        self._delayed: Delayer[tuple[Link, Frame]] = Delayer(
            lambda item: item[0].offer(item[1]), clock=clock
        )
        self._task_group: TaskGroup | None = None

    def send(self, next_hop: bytes, frame: Frame, delay_seconds: float = 0.0) -> None:
        """Send a packet to a packed address after a delay.

        Never waits, never raises: what cannot go is counted.
        """
        link = self._links.get(next_hop)
        if link is None:
            link = self._open_link(next_hop)
            if link is None:
                return
        if link.gate.is_open:
            self._schedule(link, frame, delay_seconds)
            return
        for extra, packet in link.gate.apply(frame.packet, self._clock()):
            self._schedule(link, frame._replace(packet=packet), delay_seconds + extra)

    def disconnect(self, matches: Callable[[str], bool]) -> int:
        """Abort the connections to the peers whose names match; returns how many."""
        links = [link for link in self._links.values() if matches(link.gate.target)]
        for link in links:
            link.disconnect()
        return len(links)

    async def run(self) -> None:
        """Release delayed packets and write to the links, until cancelled."""
        try:
            async with anyio.create_task_group() as task_group:
                self._task_group = task_group
                for link in self._links.values():
                    task_group.start_soon(link.run)
                await self._delayed.run()
        finally:
            self._task_group = None
            self._counters.drop(DropReason.NODE_STOPPED, self._delayed.clear())
            for link in self._links.values():
                link.drop_queue(DropReason.NODE_STOPPED)

    def _open_link(self, next_hop: bytes) -> Link | None:
        address, _ = NodeAddress.unpack(next_hop)
        if not address.ip.is_loopback:
            self._counters.drop(DropReason.NOT_LOOPBACK)
            return None
        if len(self._links) >= LINK_LIMIT:
            self._counters.drop(DropReason.QUEUE_FULL)
            return None
        gate = self._gates.gate(self._node, self._name_of(address), self._counters.inject)
        link = self._links[next_hop] = Link(address, gate, self._counters, self._version)
        if self._task_group is not None:
            self._task_group.start_soon(link.run)
        return link

    def _schedule(self, link: Link, frame: Frame, delay_seconds: float) -> None:
        if not self._delayed.push(delay_seconds, (link, frame)):
            self._counters.drop(DropReason.DELAY_QUEUE_FULL)
