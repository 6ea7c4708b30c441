"""Streams between two hosts with everything that a gateway and a machine can do to them.

Virtual time, one seed for each run. The gateways acknowledge packets and may then lose, copy,
reorder, alter and replay what they carry, at any later time; hosts stop, and restart with nothing
but their address. The client loses its gateway and goes to another one; of the server's gateways
the first is lost, for a while or for good, to all or to its own client alone. After every read:
what a reader has is what was written, as far as it goes; at the end: it is complete, or the reader
has an error.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from nymproxy.address import NymAddress, SenderTag
from nymproxy.channel import PeerMemory
from nymproxy.stream.nx2.accepting import AcceptorLink
from nymproxy.stream.nx2.link import SealedLink
from tests.stream.nx2.builders import ADDRESS
from tests.stream.nx2.simulated_host import PACKET_BYTES, App, Host, Sent
from tests.stream.nx2.simulated_plans import Plan as Plan
from tests.stream.nx2.simulated_plans import random_plan as random_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.channel.segment import ChannelKey

GIVEN_UP_SECONDS = 40.0


class SimulationFailure(AssertionError):
    """A promise was broken; the message begins with the seed."""


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
        for time in self.plan.client_moves_at:
            self.at(time, lambda: self.client.do(self.client.lose_gateway))
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
        return host.table.links[key].moved_to or key.tag or ADDRESS

    def gateways_of(self, name: str) -> int:
        """At how many gateways a host is."""
        return self.plan.server_gateways if name == "server" else 1

    def is_up(self, address: NymAddress) -> bool:
        """Whether the gateway of one of the server's addresses works."""
        begins, ends = self.plan.first_gateway_lost
        return address != ADDRESS or not begins <= self.now < ends

    def _has_way(self, sender: Host, to: NymAddress | SenderTag) -> bool:
        """Whether a message leaves, and reaches a gateway that it was for."""
        if isinstance(to, NymAddress):
            return sender.is_connected and self.is_up(to)
        return self.is_up(sender.way_of(to)) and self.client.has_tag(to)

    # The network.

    def carry(
        self,
        sender: Host,
        to: NymAddress | SenderTag,
        payload: bytes,
        of: Sent | None,
    ) -> None:
        """Carry a message through both gateways, which do what they like behind the ack."""
        plan, draw = self.plan, self.random
        self.messages += 1
        packets = 1 + len(payload) // PACKET_BYTES
        self.packets += packets
        tag = sender.tag_for(to) if isinstance(to, NymAddress) else None
        if not self._has_way(sender, to):
            is_acked = plan.lost_gateway_acks and isinstance(to, NymAddress) and sender.is_connected
            self._lose(sender, of, is_acked=is_acked)
            return
        retries = 0
        while draw.random() < plan.packet_loss:
            retries += 1
        arrival = self.now + 1.6 * retries + draw.uniform(0.05, plan.longest_delay)
        is_given_up = of is not None and draw.random() < plan.given_up
        if of is not None:
            acknowledged_at = arrival + draw.uniform(0.05, plan.longest_delay)
            self._left(sender, of)
            settle = partial(sender.settle, of, is_acknowledged=not is_given_up)
            self.at(acknowledged_at, partial(sender.do, settle))
        if is_given_up and draw.random() < 0.5:
            return
        if draw.random() >= 1 - (1 - plan.swallowed) * (1 - plan.swallowed_packets) ** packets:
            self._push(arrival, to, payload, tag)
        if draw.random() < plan.copied:
            self._push(arrival + draw.expovariate(1.0), to, payload, tag)
        while draw.random() < plan.replayed:
            self._push(arrival + draw.choice((1.0, 20.0, 400.0)) * draw.random(), to, payload, tag)

    def _left(self, sender: Host, sent: Sent) -> None:
        def tell() -> None:
            if not sent.is_settled:
                sender.delivery_changed(sent, is_sent=True, is_acknowledged=False)

        self.after(0.02, partial(sender.do, tell))

    def _lose(self, sender: Host, sent: Sent | None, *, is_acked: bool) -> None:
        """A packet that nobody acknowledges is given up in the end; a gateway that has lost its
        client may acknowledge it."""
        if sent is not None:
            self._left(sender, sent)
            settle = partial(sender.settle, sent, is_acknowledged=is_acked)
            self.after(0.1 if is_acked else GIVEN_UP_SECONDS, partial(sender.do, settle))

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
            if self.is_up(to):
                self.server.do(partial(self.server.receive, payload, tag, to))
        elif self.client.has_tag(to):
            self.client.do(partial(self.client.receive, payload, None, self.client.address))

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
        if len(app.received) > 64 * 1024 + 32 * 1024 and not self._is_downgraded(key):
            self._fail("more than the beginning was altered unnoticed")

    def _is_downgraded(self, key: ChannelKey) -> bool:
        """Two strangers were kept at NX1 from the beginning: neither end knows better."""
        links = [
            link
            for host in self.hosts
            for each, link in host.table.links.items()
            if each.channel_id == key.channel_id
        ]
        return len(links) > 1 and not any(isinstance(link, SealedLink) for link in links)

    def check_end(self, host: Host, key: ChannelKey, app: App) -> None:
        """An end is the peer's end, after all its bytes."""
        peers = self._counterpart(host, key)
        if app.was_altered_at is not None and self._is_downgraded(key):
            return
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
