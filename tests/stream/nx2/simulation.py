"""Streams between two hosts with everything that a gateway and a machine can do to them.

Virtual time, one seed for each run. The gateways acknowledge packets and may then lose, copy,
reorder, alter and replay what they carry, at any later time; hosts stop, and restart with nothing
but their address. After every read: what a reader has is what was written, as far as it goes; at
the end: it is complete, or the reader has an error.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from nymproxy.address import NymAddress, SenderTag
from nymproxy.channel import PeerMemory
from nymproxy.channel.link import LinkContext
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import DeliveryAbandoned, StreamError
from nymproxy.stream.nx2.accepting import AcceptorLink
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import StreamOptions
from tests.stream.nx2.builders import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.channel.link import ChannelLink, Message
    from nymproxy.channel.listening import Listener
    from nymproxy.channel.segment import ChannelKey

START_UNIX = 29_000_000 * 60.0
PACKET_BYTES = 1500
NAMES = {ADDRESS: "server"}


@dataclass(frozen=True)
class Plan:
    """What happens in a run. Chances are of one message, times in seconds."""

    longest_delay: float = 0.5
    packet_loss: float = 0.0
    given_up: float = 0.0
    swallowed: float = 0.0
    copied: float = 0.0
    altered: float = 0.0
    replayed: float = 0.0
    up: int = 100_000
    down: int = 100_000
    write_size: int = 20_000
    streams: int = 1
    is_known: bool = True
    ends_at: float = 2500.0
    server_restarts_at: float = math.inf
    client_restarts_at: float = math.inf
    stops: tuple[tuple[str, float, float], ...] = ()
    skew: float = 0.0


def random_plan(seed: int) -> Plan:
    """Draw a plan with a few of all troubles."""
    source = random.Random(f"{seed}/plan")
    chance = partial(source.choice, (0.0, 0.0, 0.01, 0.1))
    plan = Plan(
        longest_delay=source.choice((0.1, 0.5, 3.0)),
        packet_loss=chance(),
        given_up=source.choice((0.0, 0.02)),
        swallowed=source.choice((0.0, 0.02, 0.2)),
        copied=chance(),
        altered=source.choice((0.0, 0.01, 0.1)),
        replayed=source.choice((0.0, 0.1, 0.5)),
        up=source.choice((0, 1, 30_000, 300_000)),
        down=source.choice((0, 1, 30_000, 300_000)),
        write_size=source.choice((1_000, 20_000, 100_000)),
        streams=source.choice((1, 1, 3)),
        is_known=source.random() < 0.6,
        skew=source.uniform(-100, 100),
    )
    plan = replace(plan, write_size=max(plan.write_size, plan.up // 20, plan.down // 20))
    if source.random() < 0.25:
        plan = replace(plan, server_restarts_at=source.uniform(0, 30))
    if source.random() < 0.15:
        plan = replace(plan, client_restarts_at=source.uniform(0, 30))
    if source.random() < 0.2:
        begins = source.uniform(0, 20)
        name = source.choice(("client", "server"))
        plan = replace(plan, stops=((name, begins, begins + source.uniform(1, 60)),))
    return plan


class SimulationFailure(AssertionError):
    """A promise was broken; the message begins with the seed."""


@dataclass
class App:
    """What one end of a stream wrote and read."""

    total: int
    written: bytearray
    received: bytearray
    saw_end: bool = False
    has_finished: bool = False
    was_altered_at: int | None = None
    is_reading: bool = False


class Host:
    """One process: its streams, and its client's place at a gateway."""

    def __init__(self, sim: Simulation, name: str, address: NymAddress, life: int) -> None:
        self.sim = sim
        self.name = name
        self.address = address
        self.random = random.Random(f"{sim.seed}/{name}/{life}")
        self.tag = SenderTag(self.random.randbytes(16))
        self.is_dead = False
        self.apps: dict[ChannelKey, App] = {}
        self.ended: dict[ChannelKey, StreamError | Exception | None] = {}
        self.ended_at: dict[ChannelKey, float] = {}
        self.accepted: list[int] = []
        skew = sim.plan.skew if name == "client" else 0.0
        self.protocol = StreamProtocol(StreamOptions(), sim.memories[name])
        self.table = ChannelTable(
            [self.protocol],
            random_bytes=self.random.randbytes,
            context=LinkContext(
                (address,),
                lambda tag: address,
                lambda to: self.tag,
                self.random.randbytes,
                lambda: START_UNIX + sim.now + skew,
                is_connected=lambda: True,
                is_restored=life > 0,
            ),
        )
        self.listener: Listener | None = None
        self._ticks_at = math.inf
        self._waiting: list[Callable[[], None]] = []

    # Being stopped.

    def do(self, action: Callable[[], None]) -> None:
        """Do something now, or when the process goes on; never when it is dead."""
        if self.is_dead:
            return
        resumes_at = self.sim.resumes_at(self)
        if resumes_at > self.sim.now:
            self.sim.at(resumes_at, partial(self.do, action))
        else:
            action()

    # Streams.

    def open(self, to: NymAddress) -> None:
        key, _ = self.table.open(self.protocol, to, self.sim.now)
        self._begin(key, self.sim.plan.up)

    def _begin(self, key: ChannelKey, total: int) -> None:
        self.apps[key] = App(total, bytearray(), bytearray())
        self.sim.after(0.0, partial(self.do, partial(self._write, key)))
        self.changed()

    def _write(self, key: ChannelKey) -> None:
        machine, app = self.table.channels.get(key), self.apps[key]
        if machine is None or machine.error is not None:
            return
        size = min(app.total - len(app.written), machine.room)
        size = min(size, self.random.randint(1, self.sim.plan.write_size))
        if len(app.written) == app.total:
            app.has_finished = True
            machine.app_finished()
        else:
            data = self.random.randbytes(size)
            app.written += data
            machine.app_wrote(data)
            pause = self.random.uniform(0.01, 0.1)
            self.sim.after(pause, partial(self.do, partial(self._write, key)))
        self.changed()

    def receive(self, payload: bytes, tag: SenderTag | None) -> None:
        self.table.message_received(payload, tag, self.sim.now)
        self.changed()

    def changed(self) -> None:
        """Do what a client and its applications do after any event."""
        if self.is_dead:
            return
        now = self.sim.now
        while self.listener is not None and (key := self.table.accept(self.listener)) is not None:
            self.sim.accepted(self, key)
            self._begin(key, self.sim.plan.down)
        for key, link in list(self.table.links.items()):
            self._serve(key, link)
        self.table.take_changed()
        while self.table.strays:
            stray = self.table.strays.popleft()
            self.sim.carry(self, stray.to, stray.payload, None)
        links = self.table.links.values()
        due = min((link.next_deadline(now) for link in links), default=math.inf)
        due = min(due, self.table.next_deadline(now))
        if due < self._ticks_at:
            self._ticks_at = due
            self.sim.at(due, partial(self.do, self._tick))

    def _serve(self, key: ChannelKey, link: ChannelLink) -> None:
        now, machine, app = self.sim.now, link.machine, self.apps.get(key)
        to = self.sim.peer_of(self, key)
        while (message := link.next_message(now)) is not None:
            link.handed_over(message, 1 + len(message.payload) // PACKET_BYTES, now)
            self.sim.carry(self, to, message.payload, (link, message))
        if app is not None:
            while machine.is_readable:
                app.received += machine.inbound.read(100_000)
                self.sim.check_read(self, key, app)
            if machine.is_at_end and not machine.is_cut_short and not app.saw_end:
                app.saw_end = True
                self.sim.check_end(self, key, app)
        if link.is_over:
            self.ended[key] = machine.error
            self.ended_at[key] = now
            self.table.remove(key, to, now)

    def _tick(self) -> None:
        self._ticks_at = math.inf
        for link in list(self.table.links.values()):
            link.tick(self.sim.now)
        self.table.tick(self.sim.now)
        self.changed()

    def delivery_changed(
        self, link: ChannelLink, message: Message, is_acknowledged: bool, is_lost: bool
    ) -> None:
        error = DeliveryAbandoned("given up") if is_lost else None
        link.delivery_changed(
            message,
            is_sent=not is_lost,
            is_acknowledged=is_acknowledged,
            error=error,
            now=self.sim.now,
        )
        self.changed()


class Simulation:
    """One run."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self.seed = seed
        self.plan = plan
        self.now = 0.0
        self.random = random.Random(f"{seed}/network")
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self.memories = {name: PeerMemory() for name in ("client", "server")}
        if plan.is_known:
            self.memories["client"].remember_sealed(ADDRESS)
        self.messages = 0
        self.packets = 0
        self.hosts: list[Host] = []
        self.server = self._start("server", 0)
        self.client = self._start("client", 0)

    # Time.

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Run something at a time."""
        if time < math.inf:
            heapq.heappush(self._events, (max(time, self.now), next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run something so long from now."""
        self.at(self.now + seconds, action)

    def resumes_at(self, host: Host) -> float:
        """When a stopped process goes on; now, if it is not stopped."""
        ends = (
            end for name, begin, end in self.plan.stops if name == host.name and begin <= self.now
        )
        return max(self.now, max(ends, default=self.now))

    def run(self) -> None:
        """Run to the end, and check it."""
        for index in range(self.plan.streams):
            self.at(0.3 * index, lambda: self.client.open(ADDRESS))
        self.at(self.plan.server_restarts_at, partial(self._restart, "server"))
        self.at(self.plan.client_restarts_at, partial(self._restart, "client"))
        while self._events and self._events[0][0] <= self.plan.ends_at:
            time, _, action = heapq.heappop(self._events)
            self.now = time
            action()
        self._check_all()

    # Hosts.

    def _start(self, name: str, life: int) -> Host:
        address = ADDRESS if name == "server" else replace(ADDRESS, encryption=b"c" * 32)
        host = Host(self, name, address, life)
        if name == "server":
            host.listener = host.table.listen(host.protocol, 64, self.now)
        self.hosts.append(host)
        return host

    def _restart(self, name: str) -> None:
        old = self.server if name == "server" else self.client
        old.is_dead = True
        new = self._start(name, 1)
        if name == "server":
            self.server = new
        else:
            self.client = new

    def peer_of(self, host: Host, key: ChannelKey) -> NymAddress | SenderTag:
        """Where a stream's messages go."""
        return ADDRESS if key.tag is None else key.tag

    # The network.

    def carry(
        self,
        sender: Host,
        to: NymAddress | SenderTag,
        payload: bytes,
        of: tuple[ChannelLink, Message] | None,
    ) -> None:
        """Carry a message through both gateways, which do what they like behind the ack."""
        plan, draw = self.plan, self.random
        self.messages += 1
        self.packets += 1 + len(payload) // PACKET_BYTES
        tag = sender.tag if isinstance(to, NymAddress) else None
        retries = 0
        while draw.random() < plan.packet_loss:
            retries += 1
        arrival = self.now + 1.6 * retries + draw.uniform(0.05, plan.longest_delay)
        is_given_up = of is not None and draw.random() < plan.given_up
        if of is not None:
            acknowledged_at = arrival + draw.uniform(0.05, plan.longest_delay)
            self.at(self.now + 0.02, partial(self._tell, sender, of, False, False))
            self.at(acknowledged_at, partial(self._tell, sender, of, not is_given_up, is_given_up))
        if is_given_up and draw.random() < 0.5:
            return
        if draw.random() >= plan.swallowed:
            self._push(arrival, to, payload, tag)
        if draw.random() < plan.copied:
            self._push(arrival + draw.expovariate(1.0), to, payload, tag)
        while draw.random() < plan.replayed:
            self._push(arrival + draw.choice((1.0, 20.0, 400.0)) * draw.random(), to, payload, tag)

    def _tell(
        self, sender: Host, of: tuple[ChannelLink, Message], is_acknowledged: bool, is_lost: bool
    ) -> None:
        sender.do(partial(sender.delivery_changed, *of, is_acknowledged, is_lost))

    def _push(
        self, time: float, to: NymAddress | SenderTag, payload: bytes, tag: SenderTag | None
    ) -> None:
        if self.random.random() < self.plan.altered:
            payload, tag = self._alter(payload, tag)
        self.at(time, partial(self._arrive, to, payload, tag))

    def _alter(self, payload: bytes, tag: SenderTag | None) -> tuple[bytes, SenderTag | None]:
        """Flip bits where it hurts: type, sequence, id, capabilities, MAC, tag, or anywhere."""
        draw = self.random
        where = draw.choice(("type", "byte 15", "sequence", "id", "end", "any", "tag"))
        if where == "tag" and tag is not None:
            return payload, SenderTag(bytes([tag.value[0] ^ 1]) + tag.value[1:])
        span = {
            "type": (10, 11),
            "byte 15": (15, 16),
            "sequence": (11, 15),
            "id": (2, 10),
            "end": (max(0, len(payload) - 16), len(payload)),
        }.get(where, (0, len(payload)))
        altered = bytearray(payload)
        if where == "type":
            altered[10] = draw.choice((0, 1, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE8))
        else:
            altered[draw.randrange(*span)] ^= 1 << draw.randrange(8)
        return bytes(altered), tag

    def _arrive(self, to: NymAddress | SenderTag, payload: bytes, tag: SenderTag | None) -> None:
        if isinstance(to, NymAddress):
            self.server.do(partial(self.server.receive, payload, tag))
        elif self.client.tag == to:
            self.client.do(partial(self.client.receive, payload, None))

    # Promises.

    def _fail(self, what: str) -> None:
        raise SimulationFailure(f"seed {self.seed}: {what} (at {self.now:.3f} s)\n{self.plan}")

    def _counterpart(self, host: Host, key: ChannelKey) -> list[App]:
        """The other end of a stream, over all lives of the other host."""
        return [
            app
            for other in self.hosts
            if other.name != host.name
            for each, app in other.apps.items()
            if each.channel_id == key.channel_id
        ]

    def accepted(self, host: Host, key: ChannelKey) -> None:
        """Each stream is accepted once in a life, and only while somebody dials it."""
        if key.channel_id in host.accepted:
            self._fail("a stream was accepted twice")
        host.accepted.append(int(key.channel_id))
        # What left while the dialer was there may arrive a little later.
        is_dialed = any(
            each.channel_id == key.channel_id and other.ended_at.get(each, self.now) > self.now - 60
            for other in self.hosts
            if other.name == "client"
            and (not other.is_dead or self.plan.client_restarts_at > self.now - 60)
            for each in other.apps
        )
        # An Open that was altered not to show NX2 is taken for one of a plain stranger.
        is_sealed = isinstance(host.table.links[key], AcceptorLink)
        if is_sealed and not is_dialed and host is not self.hosts[0]:
            self._fail("a replayed opening was accepted by a restarted server")

    def check_read(self, host: Host, key: ChannelKey, app: App) -> None:
        """What was read is what was written, as far as it goes."""
        peers = self._counterpart(host, key)
        if any(peer.written.startswith(app.received) for peer in peers):
            return
        if self.plan.is_known or not self.plan.altered:
            self._fail(f"{host.name} read what was not written")
        if app.was_altered_at is None:
            app.was_altered_at = len(app.received)
        if len(app.received) > 64 * 1024 + 32 * 1024:
            self._fail("more than the beginning was altered unnoticed")

    def check_end(self, host: Host, key: ChannelKey, app: App) -> None:
        """An end is the peer's end, after all its bytes."""
        peers = self._counterpart(host, key)
        if not any(peer.has_finished and peer.written == app.received for peer in peers):
            self._fail(f"{host.name} saw an end after {len(app.received)} bytes that was none")

    def _check_all(self) -> None:
        for host in (self.client, self.server):
            for key, app in host.apps.items():
                error = host.ended.get(key)
                if key in host.table.links and host.table.links[key].machine.error is None:
                    link = host.table.links[key]
                    self._fail(f"a stream of {host.name} has not ended: {vars(link)}")
                if not app.saw_end and error is None:
                    self._fail(f"{host.name} saw neither an end nor an error")


def simulate(seed: int, plan: Plan | None = None) -> Simulation:
    """Run one simulation; raises ``SimulationFailure``."""
    run = Simulation(seed, plan or random_plan(seed))
    run.run()
    return run
