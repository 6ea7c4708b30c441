"""A message transport without sockets: any number of endpoints in one process, with seeded faults.

::

    async with MemoryNetwork(faults=MemoryFaults(loss=0.05, delay_seconds=0.1)) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        await alice.send(bob.address, b"hello", surbs=20)

Each endpoint is a real client: the machine that a
:class:`~nymproxy.mixnet.client.message_client.MessageClient` has, with its lanes,
window, timers and reply SURBs. What is pretended is the network below:
packets go from client to client without cryptography, and each is lost, delayed, doubled and
altered by itself, as is each ack. All randomness comes from the seed, so that a run under trio's
``MockClock(autojump_threshold=0)`` repeats exactly as long as the tasks that use the network call
it in the same order.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from nymproxy._home_loop import HomeLoop
from nymproxy._signal import Signal
from nymproxy.address import SenderTag
from nymproxy.errors import UnknownGateway, UsageError
from nymproxy.testing._agenda import Agenda
from nymproxy.testing._memory_endpoint import MemoryEndpoint
from nymproxy.testing._memory_model import (
    KIND_OF_PACKET,
    ChooseFate,
    Disconnect,
    MemoryFaults,
    MemoryMessage,
    MessageFate,
    MessageKind,
)
from nymproxy.testing._pretended_client import pretended_profile
from nymproxy.testing._pretended_mixnet import PacketFaults, PretendedMixnet, Verdict

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from anyio.abc import TaskGroup

    from nymproxy.address import NodeIdentity, NymAddress
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.traffic import OutgoingMessage, TrafficProfile

__all__ = (
    "ChooseFate",
    "Disconnect",
    "MemoryEndpoint",
    "MemoryFaults",
    "MemoryMessage",
    "MemoryNetwork",
    "MessageFate",
    "MessageKind",
)

_VERDICTS = {
    MessageFate.DELIVER: Verdict(),
    MessageFate.ABANDON: Verdict(is_lost=True),
    MessageFate.VANISH: Verdict(is_swallowed=True),
}
_OWN_LANE = -1


class MemoryNetwork:
    """Connects :class:`MemoryEndpoint` objects. Use as ``async with``.

    Args:
        seed: of everything random, keys included.
        faults: what goes wrong; may be replaced while the network runs (:attr:`faults`).
        packet_rate: packets a second of each endpoint's sending schedule, evenly spaced and
            without cover; ``None`` for as fast as the window of unacknowledged packets allows.
        window_packets: that window, for each endpoint; it stays as it is.
        lane_capacity_packets: what may wait in one lane before ``send`` blocks.
        mailbox_packets: what may wait for an endpoint at its gateway, while the endpoint is not
            connected or its messages are not taken. Further packets are dropped unacked.
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
        mailbox_packets: int = 100_000,
        log_capacity: int = 10_000,
    ) -> None:
        self.faults: MemoryFaults = faults or MemoryFaults()
        self.packet_rate = packet_rate
        self.log: deque[MemoryMessage] = deque(maxlen=log_capacity)
        self.random: random.Random = random.Random(f"{seed}/messages")
        self._window_packets = window_packets
        self._lane_capacity_packets = lane_capacity_packets
        self._wake = Signal()
        self._agenda = Agenda(self._now, self._wake.set)
        self.mixnet: PretendedMixnet = PretendedMixnet(
            self._agenda, seed, self._faults_of, self._verdict_of, mailbox_packets
        )
        """The network below the endpoints."""
        self._message_count = 0
        self._endpoints: dict[bytes, MemoryEndpoint] = {}  # by address
        self._names_of_tags: dict[SenderTag, str] = {}
        self._task_group: TaskGroup | None = None
        self.home: HomeLoop | None = None
        """The event loop of all endpoints, from ``async with`` on."""

    @property
    def gateway(self) -> NodeIdentity:
        """The gateway of all endpoints."""
        return self.mixnet.gateway

    async def __aenter__(self) -> Self:
        if self.home is not None:
            raise UsageError("a memory network is entered once: make another one")
        self.home = HomeLoop("a memory network")
        self._task_group = anyio.create_task_group()
        await self._task_group.__aenter__()
        for fault in self.faults.disconnects:
            self._agenda.after(fault.at_seconds, partial(self._break_link, fault))
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
            endpoint.close()
        self._task_group.cancel_scope.cancel()
        if isinstance(exc_value, anyio.get_cancelled_exc_class()):
            return await self._task_group.__aexit__(exc_type, exc_value, traceback)
        # The body's own exception is not for the task group, which would wrap it.
        await self._task_group.__aexit__(None, None, None)
        return False

    def endpoint(
        self, name: str | None = None, *, memory: MemoryAccount | None = None
    ) -> MemoryEndpoint:
        """Add an endpoint. Its keys, and so its address, depend on the seed and the name only.

        Args:
            name: of no other endpoint; by default a number.
            memory: the account of what others make it keep; by default one of its own.

        Raises:
            UsageError: the name is taken.
        """
        name = name if name is not None else f"endpoint-{len(self._endpoints)}"
        if self.mixnet.address_of(name).to_bytes() in self._endpoints:
            raise UsageError(f"there is an endpoint named {name} already")
        endpoint = MemoryEndpoint(self, name, self._profile(), memory)
        self._endpoints[endpoint.address.to_bytes()] = endpoint
        return endpoint

    def messages(self, kind: MessageKind | None = None) -> list[MemoryMessage]:
        """Return the records of one kind (default: of all kinds), oldest first."""
        return [record for record in self.log if kind is None or record.kind is kind]

    def find(self, address: NymAddress) -> MemoryEndpoint | None:
        """Return the endpoint of an address.

        Raises:
            UnknownGateway: the address names a gateway that is not this network's.
        """
        if address.gateway != self.gateway:
            raise UnknownGateway("the recipient's gateway is not part of this memory network")
        return self._endpoints.get(address.to_bytes())

    def record(self, sender: str, message: OutgoingMessage, payload: bytes) -> MemoryMessage:
        """Open a record in the log, for an endpoint."""
        to, lane = message.to, message.lane
        if isinstance(to, SenderTag):
            recipient = self._names_of_tags.get(to, "")
        else:
            endpoint = self._endpoints.get(to.to_bytes())
            recipient = endpoint.name if endpoint else ""
        record = MemoryMessage(
            self._message_count,
            KIND_OF_PACKET[message.kind],
            sender,
            recipient,
            payload,
            message.surbs,
            lane if isinstance(lane, int) else _OWN_LANE,
            message.delivery.packet_count,
        )
        self._message_count += 1
        self.log.append(record)
        if self.faults.choose_fate is not None:
            record.fate = self.faults.choose_fate(record)
        return record

    def learn_tag(self, tag: SenderTag, name: str) -> None:
        """Take note of whose tag it is, for the log."""
        self._names_of_tags[tag] = name

    # Inside.

    def _now(self) -> float:
        """The event loop's time; endpoints may be made before there is a loop."""
        return 0.0 if self._task_group is None else anyio.current_time()

    def _profile(self) -> TrafficProfile:
        """Return the profile of an endpoint that is made now."""
        seconds = self.faults.retransmission_seconds
        profile = pretended_profile("memory", window_packets=self._window_packets)
        return replace(
            profile,
            ack_wait_addition_seconds=seconds,
            minimum_ack_wait_seconds=seconds,
            maximum_ack_wait_seconds=max(profile.maximum_ack_wait_seconds, seconds),
            maximum_retransmissions=self.faults.max_retransmissions,
            lane_packets=self._lane_capacity_packets,
            total_packets=max(profile.total_packets, self._lane_capacity_packets),
        )

    def _faults_of(self, _sender: bytes) -> PacketFaults:
        return self.faults.of_packets()

    def _verdict_of(self, note: object) -> Verdict:
        assert isinstance(note, MemoryMessage)
        return _VERDICTS[note.fate]

    def _break_link(self, fault: Disconnect) -> None:
        for endpoint in self._endpoints.values():
            if endpoint.name == fault.name:
                if fault.for_seconds is None:
                    endpoint.lose_gateway()
                else:
                    endpoint.disconnect()
                    self._agenda.after(fault.for_seconds, endpoint.reconnect)

    async def _run(self) -> None:
        while True:
            self._agenda.run_due()
            delay = self._agenda.next_time - anyio.current_time()
            if delay <= 0:
                await anyio.lowlevel.checkpoint()
                continue
            with anyio.move_on_after(delay if delay < math.inf else None):
                await self._wake.wait()
