"""A message transport without sockets: any number of endpoints in one process, with seeded faults.

::

    async with MemoryNetwork(faults=MemoryFaults(loss=0.05, delay_seconds=0.1)) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        await alice.send(bob.address, b"hello", surbs=20)

It models packets, not only messages: each takes its turn in a fair schedule, is lost, delayed and
sent again by itself, and a message arrives when its last packet does. Replies use up one SURB for
each packet and wait for more as the real reply controller does; the answer to a request for SURBs
takes no turn in the owner's schedule, and acknowledgements are never lost. All randomness comes
from the seed, so that a run under trio's ``MockClock(autojump_threshold=0)`` repeats exactly as
long as the tasks that use the network call it in the same order.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from nacl.signing import SigningKey

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.errors import ClientDisconnected, UnknownGateway, UsageError
from nymproxy.testing._memory_endpoint import MemoryEndpoint
from nymproxy.testing._memory_model import (
    Agenda,
    ChooseFate,
    Disconnect,
    MemoryFaults,
    MemoryMessage,
    MessageFate,
    MessageKind,
    packets_needed,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from anyio.abc import TaskGroup

    from nymproxy.testing._memory_lane import Outgoing

__all__ = (
    "ChooseFate",
    "Disconnect",
    "MemoryEndpoint",
    "MemoryFaults",
    "MemoryMessage",
    "MemoryNetwork",
    "MessageFate",
    "MessageKind",
    "packets_needed",
)


class MemoryNetwork:
    """Connects :class:`MemoryEndpoint` objects. Use as ``async with``.

    Args:
        seed: of everything random, keys included.
        faults: what goes wrong; may be replaced while the network runs (:attr:`faults`).
        packet_rate: packets a second of each endpoint's sending schedule, evenly spaced;
            ``None`` for as fast as the window of unacknowledged packets allows.
        window_packets: that window, for each endpoint.
        lane_capacity_packets: what may wait in one lane before ``send`` blocks. A larger message
            goes in when the lane is empty.
        inbox_capacity: messages that wait at a recipient's gateway. Packets that would complete
            one more are taken as lost, so they come again.
        log_capacity: records kept in :attr:`log`; the oldest go first.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: MemoryFaults | None = None,
        packet_rate: float | None = None,
        window_packets: int = 1000,
        lane_capacity_packets: int = 128,
        inbox_capacity: int = 10_000,
        log_capacity: int = 10_000,
    ) -> None:
        self.seed = seed
        self.faults = faults or MemoryFaults()
        self.packet_rate = packet_rate
        self.window_packets = window_packets
        self.lane_capacity_packets = lane_capacity_packets
        self.inbox_capacity = inbox_capacity
        self.log: deque[MemoryMessage] = deque(maxlen=log_capacity)
        self.gateway = NodeIdentity(self._ed25519_public("gateway"))
        self._message_count = 0
        self._endpoints: dict[NymAddress, MemoryEndpoint] = {}
        self._tags: dict[SenderTag, MemoryEndpoint] = {}
        self._agenda = Agenda()
        self._wake = anyio.Event()
        self._task_group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._task_group = anyio.create_task_group()
        await self._task_group.__aenter__()
        now = anyio.current_time()
        for fault in self.faults.disconnects:
            self._agenda.add(now + fault.at_seconds, partial(self._break_link, fault))
        self._task_group.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._task_group is not None
        for endpoint in self._endpoints.values():
            endpoint.close(ClientDisconnected("the memory network has ended"))
        self._task_group.cancel_scope.cancel()
        if isinstance(exc_value, anyio.get_cancelled_exc_class()):
            return await self._task_group.__aexit__(exc_type, exc_value, traceback)
        # The body's own exception is not for the task group, which would wrap it.
        await self._task_group.__aexit__(None, None, None)
        return False

    def endpoint(self, name: str | None = None) -> MemoryEndpoint:
        """Add an endpoint. Its keys, and so its address, depend on the seed and the name only.

        Raises:
            UsageError: the name is taken.
        """
        name = name if name is not None else f"endpoint-{len(self._endpoints)}"
        address = NymAddress(
            self._ed25519_public(f"identity/{name}"), self.derive(f"x/{name}"), self.gateway
        )
        if address in self._endpoints:
            raise UsageError(f"there is an endpoint named {name} already")
        endpoint = MemoryEndpoint(self, name, address)
        self._endpoints[address] = endpoint
        return endpoint

    def messages(self, kind: MessageKind | None = None) -> list[MemoryMessage]:
        """Return the records of one kind (default: of all kinds), oldest first."""
        return [record for record in self.log if kind is None or record.kind is kind]

    # What endpoints use.

    def derive(self, label: str) -> bytes:
        """Return 32 bytes that depend on the seed and the label."""
        return hashlib.sha256(f"{self.seed}/{label}".encode()).digest()

    def random_for(self, label: str) -> random.Random:
        """Return a generator for one purpose alone: tasks cannot disturb each other."""
        return random.Random(self.derive(label))

    def find(self, to: NymAddress | SenderTag) -> MemoryEndpoint | None:
        """Return the endpoint of an address or of a tag's owner.

        Raises:
            UnknownGateway: the address names a gateway that is not this network's.
        """
        if isinstance(to, SenderTag):
            return self._tags.get(to)
        if to.gateway != self.gateway:
            raise UnknownGateway("the recipient's gateway is not part of this memory network")
        return self._endpoints.get(to)

    def tag_for(self, sender: MemoryEndpoint, recipient: NymAddress) -> SenderTag:
        """Return the tag under which ``recipient`` knows ``sender``."""
        tag = SenderTag(self.derive(f"tag/{sender.name}/{recipient}")[:16])
        self._tags[tag] = sender
        return tag

    def record(
        self, kind: MessageKind, sender: str, recipient: str, payload: bytes, surbs: int, lane: int
    ) -> MemoryMessage:
        """Open a record in the log."""
        message = MemoryMessage(
            self._message_count,
            kind,
            sender,
            recipient,
            payload,
            surbs,
            lane,
            packets_needed(len(payload), surbs=surbs, is_reply=kind is MessageKind.REPLY),
        )
        self._message_count += 1
        self.log.append(message)
        return message

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` on the network's task, ``seconds`` from now."""
        when = anyio.current_time() + seconds
        earliest = self._agenda.next_time
        self._agenda.add(when, action)
        if earliest is None or when < earliest:
            self._wake.set()

    def trip_seconds(self, generator: random.Random) -> float:
        """Draw the time that one packet takes when it is not lost."""
        return self.faults.delay_seconds + generator.random() * self.faults.jitter_seconds

    def arrive(self, message: Outgoing, generator: random.Random) -> None:
        """Hand over a complete message, perhaps late, perhaps twice."""
        faults = self.faults
        delays = [faults.reordering_seconds if generator.random() < faults.reordering else 0.0]
        if generator.random() < faults.duplication:
            delays.append(delays[0] + self.trip_seconds(generator))
        for copy, delay in enumerate(delays):
            deliver = partial(message.deliver, anyio.current_time, is_copy=copy > 0)
            if delay == 0:
                deliver()
            else:
                self.after(delay, deliver)

    def _ed25519_public(self, label: str) -> bytes:
        return bytes(SigningKey(self.derive(label)).verify_key)

    def _break_link(self, fault: Disconnect) -> None:
        for endpoint in self._endpoints.values():
            if endpoint.name == fault.name:
                if fault.for_seconds is None:
                    endpoint.lose_gateway()
                else:
                    endpoint.disconnect()
                    self.after(fault.for_seconds, endpoint.reconnect)

    async def _run(self) -> None:
        while True:
            self._wake = anyio.Event()
            self._agenda.run_due(anyio.current_time())
            next_time = self._agenda.next_time
            if self._wake.is_set():
                await anyio.lowlevel.checkpoint()
                continue
            timeout = math.inf if next_time is None else next_time - anyio.current_time()
            with anyio.move_on_after(timeout):
                await self._wake.wait()
