"""Links between nodes, over real sockets."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy._signal import Signal
from nymproxy.errors import ConfigurationError
from nymproxy.localnet import FaultPlan, LinkFaults, links
from nymproxy.localnet.counters import Direction, DropReason, NodeCounters
from nymproxy.localnet.epochs import EpochClock, EpochSchedule
from nymproxy.localnet.fault_gates import FaultGates
from nymproxy.localnet.framing import Frame, FrameDecoder, FrameVersion
from nymproxy.localnet.gateway_node import GatewayNode
from nymproxy.localnet.links import QUEUE_LIMIT, Outbox
from nymproxy.localnet.nodes import NodeEnvironment
from nymproxy.localnet.ports import Port
from nymproxy.localnet.secrets import NetworkSecret
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, PacketSize
from tests.localnet.client import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import ByteStream


def _frame(number: int) -> Frame:
    packet = number.to_bytes(PacketSize.ACK.packet_length, "big")
    return Frame(PacketSize.ACK, KeyRotation.EVEN, packet)


class Peer:
    """Another node that only listens."""

    def __init__(self) -> None:
        self.port = Port()
        self.address = NodeAddress.parse("127.0.0.1", self.port.number)
        self.frames: list[Frame] = []
        self.connections = 0
        self.ended = 0
        self._changed = Signal()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        async with anyio.create_task_group() as task_group:
            await task_group.start(self.port.serve, self._read)
            yield self.port.number
            task_group.cancel_scope.cancel()

    async def _read(self, stream: ByteStream) -> None:
        self.connections += 1
        decoder = FrameDecoder()
        async with stream:
            try:
                while True:
                    self.frames += decoder.receive_data(await stream.receive())
                    self._changed.set()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                self.ended += 1
                self._changed.set()

    async def numbers(self, count: int) -> list[int]:
        """Wait until ``count`` packets came in all."""
        with anyio.fail_after(30):
            while len(self.frames) < count:
                await self._changed.wait()
        return [int.from_bytes(frame.packet, "big") for frame in self.frames]


class Sender:
    def __init__(self, version: FrameVersion = FrameVersion.CURRENT) -> None:
        self.counters = NodeCounters()
        self.gates = FaultGates(anyio.current_time)
        self.outbox = Outbox(
            "mix-1-0", lambda _: "mix-2-0", self.gates, self.counters, version=version
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(self.outbox.run)
            yield
            task_group.cancel_scope.cancel()

    async def until_dropped(self, reason: DropReason, count: int) -> None:
        await eventually(lambda: self.counters.dropped(reason) >= count)


@pytest.mark.parametrize("version", FrameVersion)
async def test_packets_share_one_connection_in_order(version: FrameVersion) -> None:
    peer, sender = Peer(), Sender(version)
    async with peer.listening(), sender.running():
        for number in range(500):
            sender.outbox.send(peer.address.pack(), _frame(number))
        assert await peer.numbers(500) == list(range(500))
    assert peer.connections == 1
    assert sender.counters.packets(Direction.FORWARDED) == 500
    rotation = KeyRotation.EVEN if version is FrameVersion.CURRENT else KeyRotation.UNKNOWN
    assert peer.frames[0].rotation is rotation
    peer.port.close()


async def test_delays_reorder_packets() -> None:
    peer, sender = Peer(), Sender()
    async with peer.listening(), sender.running():
        sender.outbox.send(peer.address.pack(), _frame(2), 0.05)
        sender.outbox.send(peer.address.pack(), _frame(1), 0.02)
        sender.outbox.send(peer.address.pack(), _frame(0))
        assert await peer.numbers(3) == [0, 1, 2]
    peer.port.close()


async def test_a_full_queue_drops_the_newest() -> None:
    peer, sender = Peer(), Sender()
    async with peer.listening():
        for number in range(QUEUE_LIMIT + 5):
            sender.outbox.send(peer.address.pack(), _frame(number))
        async with sender.running():
            assert await peer.numbers(QUEUE_LIMIT) == list(range(QUEUE_LIMIT))
    assert sender.counters.dropped(DropReason.QUEUE_FULL) == 5
    peer.port.close()


async def test_a_refused_connection_loses_the_queue_and_is_tried_again_at_once() -> None:
    peer, sender = Peer(), Sender()
    async with sender.running():
        sender.outbox.send(peer.address.pack(), _frame(0))
        await sender.until_dropped(DropReason.CONNECTION_LOST, 1)
        async with peer.listening():
            sender.outbox.send(peer.address.pack(), _frame(1))
            assert await peer.numbers(1) == [1]
    peer.port.close()


async def test_a_restarted_peer_is_found_again() -> None:
    peer, sender = Peer(), Sender()
    async with sender.running():
        async with peer.listening():
            sender.outbox.send(peer.address.pack(), _frame(0))
            await peer.numbers(1)
        [link] = sender.outbox._links.values()
        await eventually(lambda: link._connection_scope is None)
        async with peer.listening():
            sender.outbox.send(peer.address.pack(), _frame(1))
            assert await peer.numbers(2) == [0, 1]
    peer.port.close()


async def test_disconnect_aborts_and_the_next_packet_connects() -> None:
    peer, sender = Peer(), Sender()
    async with peer.listening(), sender.running():
        sender.outbox.send(peer.address.pack(), _frame(0))
        await peer.numbers(1)
        assert sender.outbox.disconnect(lambda name: name == "mix-2-0") == 1
        assert sender.outbox.disconnect(lambda name: name == "client") == 0
        await eventually(lambda: peer.ended == 1)
        sender.outbox.send(peer.address.pack(), _frame(1))
        assert await peer.numbers(2) == [0, 1]
    assert peer.connections == 2
    peer.port.close()


async def test_an_idle_link_is_closed_and_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "IDLE_SECONDS", 0.05)
    peer, sender = Peer(), Sender()
    async with peer.listening(), sender.running():
        sender.outbox.send(peer.address.pack(), _frame(0))
        await peer.numbers(1)
        await eventually(lambda: peer.ended == 1)
        sender.outbox.send(peer.address.pack(), _frame(1))
        assert await peer.numbers(2) == [0, 1]
    assert peer.connections == 2
    assert sender.counters.dropped(DropReason.CONNECTION_LOST) == 0
    peer.port.close()


async def test_nothing_leaves_the_machine() -> None:
    sender = Sender()
    async with sender.running():
        for ip in ("10.0.0.1", "8.8.8.8", "2001:db8::1"):
            sender.outbox.send(NodeAddress.parse(ip, 1789).pack(), _frame(0))
    assert sender.counters.dropped(DropReason.NOT_LOOPBACK) == 3


async def test_faults_act_between_node_and_link() -> None:
    peer, sender = Peer(), Sender()
    sender.gates.install(
        FaultPlan(links=(LinkFaults(source="mix-1-*", target="mix-2-*", loss=0.5, duplicate=0.5),))
    )
    async with peer.listening(), sender.running():
        for number in range(400):
            sender.outbox.send(peer.address.pack(), _frame(number))
        expected = 400 - sender.counters.injected("loss") + sender.counters.injected("duplicate")
        await peer.numbers(expected)
    assert sender.counters.injected("loss") > 100
    peer.port.close()


async def test_what_waits_at_the_end_is_counted() -> None:
    peer, sender = Peer(), Sender()
    async with sender.running():
        sender.outbox.send(peer.address.pack(), _frame(0), 10.0)
    assert sender.counters.dropped(DropReason.NODE_STOPPED) == 1
    peer.port.close()


async def test_a_port_stays_reserved_while_nobody_listens() -> None:
    peer = Peer()
    async with peer.listening():
        pass
    with pytest.raises(OSError, match=r"refused|failed"):
        await anyio.connect_tcp("127.0.0.1", peer.port.number)
    async with peer.listening():
        stream = await anyio.connect_tcp("127.0.0.1", peer.port.number)
        await stream.aclose()
    peer.port.close()


async def test_a_gateway_that_cannot_listen_leaves_no_port_taken(tmp_path: Path) -> None:
    free = Port()
    free.close()
    gates = FaultGates(anyio.current_time)
    clock = EpochClock(EpochSchedule.starting(0.0))
    environment = NodeEnvironment(
        NetworkSecret.from_seed(1), clock, gates, lambda: 0.0, random.randbytes
    )
    peer = Peer()
    async with peer.listening() as taken:
        with pytest.raises(ConfigurationError, match="in use"):
            GatewayNode("gateway-0", environment, free.number, taken, tmp_path / "state")
    peer.port.close()
    # A port that is left open shows as a ResourceWarning, which fails the test.
