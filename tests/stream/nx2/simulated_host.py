"""One process of a simulation: its streams, and its client's place at a gateway."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.channel.fate import Fate
from nymproxy.channel.link import LinkContext
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import DeliveryAbandoned, StreamError
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import StreamOptions
from tests.stream.nx2.builders import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.channel.link import ChannelLink, Message
    from nymproxy.channel.listening import Listener
    from nymproxy.channel.segment import ChannelKey
    from tests.stream.nx2.simulation import Simulation

SECOND_ADDRESS = replace(ADDRESS, gateway=NodeIdentity(b"2" * 32))
MOVING_SECONDS = 5.0
START_UNIX = 29_000_000 * 60.0
PACKET_BYTES = 1500


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


@dataclass(eq=False)
class Sent:
    """One message of a link, until it is known what became of it."""

    link: ChannelLink
    message: Message
    is_settled: bool = False


class Host:
    """One process: its streams, and its client's place at a gateway."""

    def __init__(self, sim: Simulation, name: str, address: NymAddress, life: int) -> None:
        self.sim = sim
        self.name = name
        self.address = address
        self.random = random.Random(f"{sim.seed}/{name}/{life}")
        self.is_dead = False
        self.is_connected = True
        self.addresses = (address, SECOND_ADDRESS)[: self.sim.gateways_of(name)]
        self.identity = 0  # counts the clients that the process had
        self._tags: dict[tuple[int, NymAddress], SenderTag] = {}
        self._writes_to: dict[SenderTag, NymAddress] = {}
        self._under_way: dict[Sent, None] = {}
        self._moves: dict[ChannelLink, int] = {}
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
                self.addresses,
                lambda tag: self._writes_to.get(tag, address),
                self.tag_for,
                lambda to: 0,
                self.random.randbytes,
                lambda: START_UNIX + sim.now + skew,
                is_connected=lambda: self.is_connected,
                connected_seconds_at=lambda at: math.inf,
                is_restored=life > 0,
            ),
        )
        self.listener: Listener | None = None
        self._ticks_at = math.inf
        self._waiting: list[Callable[[], None]] = []

    # At a gateway.

    def tag_for(self, to: NymAddress) -> SenderTag:
        """The tag of the present client towards an address."""
        place = (self.identity, to)
        if place not in self._tags:
            self._tags[place] = SenderTag(self.random.randbytes(16))
        return self._tags[place]

    def has_tag(self, tag: SenderTag) -> bool:
        """Whether the present client gave out a tag, and can hear."""
        places = (place for place, each in self._tags.items() if each == tag)
        return self.is_connected and any(identity == self.identity for identity, _ in places)

    def way_of(self, tag: SenderTag) -> NymAddress:
        """Where a sender writes to, and is answered from."""
        return self._writes_to.get(tag, self.address)

    def lose_gateway(self) -> None:
        """Nothing comes or goes any more, until the next client is there."""
        self.is_connected = False
        self.changed()
        self.sim.after(MOVING_SECONDS, partial(self.do, self._move))

    def _move(self) -> None:
        self.identity += 1
        self.is_connected = True
        self.table.client_moved(self.sim.now)
        for sent in list(self._under_way):
            self.settle(sent, is_acknowledged=False)
        self.changed()

    def sends(self, link: ChannelLink, message: Message) -> Sent:
        """Note that a message goes out."""
        sent = Sent(link, message)
        self._under_way[sent] = None
        return sent

    def settle(self, sent: Sent, *, is_acknowledged: bool) -> None:
        """Note what became of a message."""
        if not sent.is_settled:
            sent.is_settled = True
            self._under_way.pop(sent, None)
            self.delivery_changed(sent, is_sent=is_acknowledged, is_acknowledged=is_acknowledged)

    def _follow(self, link: ChannelLink) -> None:
        """Do what a driver does when a link has moved."""
        if self._moves.get(link, 0) != link.moves:
            self._moves[link] = link.moves
            for sent in [each for each in self._under_way if each.link is link]:
                self.settle(sent, is_acknowledged=False)

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
        if self.random.random() < 0.5:
            self._write(key)  # what a dialer has at hand goes with the opening
        else:
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

    def receive(self, payload: bytes, tag: SenderTag | None, at: NymAddress) -> None:
        if tag is not None:
            self._writes_to.setdefault(tag, at)
        for each in [payload] if tag is not None else self.protocol.codec.split(payload):
            self.table.message_received(each, tag, self.sim.now)
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
        self._follow(link)
        if key not in self.table.links:  # that was its end
            return
        to = self.sim.peer_of(self, key)
        others = [
            each
            for other, each in self.table.links.items()
            if each is not link and self.sim.peer_of(self, other) == to
        ]
        while (message := link.next_message(now)) is not None:
            link.handed_over(message, 1 + len(message.payload) // PACKET_BYTES, now)
            payload = link.bring_along(message, others, now)
            self.sim.carry(self, to, payload, self.sends(link, message))
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

    def delivery_changed(self, sent: Sent, *, is_sent: bool, is_acknowledged: bool) -> None:
        error = DeliveryAbandoned("given up") if not is_sent else None
        fate = Fate(is_sent, is_acknowledged, error)
        sent.link.delivery_changed(sent.message, fate, self.sim.now)
        self.changed()
