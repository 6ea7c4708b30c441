"""The mixnet clients of one proxy: what they make of its status, and what they did together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._signal import Signal
from nymproxy.errors import UnknownGateway
from nymproxy.mixnet.machine import ClientStatus
from nymproxy.mixnet.machine.status import NOTHING_DONE, NOTHING_HELD, READY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nymproxy.address import NymAddress
    from nymproxy.errors import NymError
    from nymproxy.mixnet.client.message_client import MessageClient
    from nymproxy.mixnet.machine import ClientCounters, ClientGauges

_NOT_STARTED = ClientStatus(0.0, False, False, "not started")
_UNREACHABLE = ClientStatus(
    0.9,
    False,
    False,
    "the server's gateway is not in the network: check the address, or wait until it is back",
    UnknownGateway.code,
)


class RosterEntry:
    """One client, from the attempt to connect it to its end."""

    def __init__(self, roster: ClientRoster) -> None:
        self.status = _NOT_STARTED
        self.client: MessageClient | None = None
        self._roster = roster

    def connected(self, client: MessageClient) -> None:
        """Take note of the client."""
        self.client = client

    def failed(self, error: NymError | None) -> None:
        """Take note that it could not be connected; without an error, that nobody wants it."""
        self._roster.leave(self, error)

    def show(self, status: ClientStatus) -> None:
        """Take note of its status; a closed one is the last."""
        was_ready, self.status = self.status.is_ready, status
        if status.is_closed:
            self._roster.leave(self, None)
        else:
            self._roster.status_changed(self, was_ready=was_ready)


class ClientRoster:
    """All clients of a proxy, or of a group of them, whoever holds them.

    Args:
        group: the name of the group.
    """

    def __init__(self, group: str | None = None) -> None:
        self.group = group
        self._entries: dict[RosterEntry, None] = {}
        self._last_error: NymError | None = None
        self._done = NOTHING_DONE
        self.gateways_lost = 0
        """How many times a client was ready, and then was not."""
        self.changed = Signal()
        """Set whenever a status may be another one."""

    def enter(self) -> RosterEntry:
        """Begin with a client."""
        entry = RosterEntry(self)
        self._entries[entry] = None
        return entry

    def leave(self, entry: RosterEntry, error: NymError | None) -> None:
        """Forget a client, which has ended, or could not be connected."""
        if self._entries.pop(entry, self) is self:
            return
        if entry.client is not None:
            self._done = self._done + entry.client.counters
        self._last_error = error or self._last_error
        self.changed.set()

    def status_changed(self, entry: RosterEntry, *, was_ready: bool) -> None:
        """Take note of a client's status."""
        if entry.status.is_ready:
            self._last_error = None
        elif was_ready:
            self.gateways_lost += 1
        self.changed.set()

    def status_for(
        self, servers: Sequence[NymAddress] = (), *, is_serving: bool = False
    ) -> ClientStatus:
        """Return how far a proxy is from carrying traffic: as far as the best client.

        Args:
            servers: without a way to one of these the proxy is not ready.
            is_serving: the proxy serves, so that it needs no client to be ready.
        """
        best = max(
            (entry.status for entry in self._entries),
            key=lambda status: (status.is_ready, status.fraction),
            default=None,
        )
        if best is not None and best.is_ready:
            return READY if self._reaches_one_of(servers) else _UNREACHABLE
        if self._last_error is not None:
            error = self._last_error
            return ClientStatus(0.0, False, False, str(error), error.code)
        if best is not None:
            return best
        return READY if is_serving else _NOT_STARTED

    def _reaches_one_of(self, servers: Sequence[NymAddress]) -> bool:
        clients = [entry.client for entry in self._entries if entry.status.is_ready]
        return not servers or any(
            client is None or client.reaches(server) for client in clients for server in servers
        )

    def client_for(self, address: NymAddress) -> MessageClient | None:
        """Return a client that can send to an address now: the one that was begun last, which in
        a reserve no connection has yet."""
        for entry in reversed(self._entries):
            client = entry.client
            if entry.status.is_ready and client is not None and client.reaches(address):
                return client
        return None

    def changes(self, status: Callable[[], ClientStatus]) -> RosterChanges:
        """Iterate over what ``status`` returns now, and whenever it is another one, for ever."""
        return RosterChanges(self, status)

    @property
    def client_count(self) -> int:
        """Clients that are connected, or being connected."""
        return len(self._entries)

    @property
    def ready_count(self) -> int:
        """Clients that can carry traffic now."""
        return sum(entry.status.is_ready for entry in self._entries)

    @property
    def gauges(self) -> ClientGauges:
        """What all hold now."""
        held = NOTHING_HELD
        for entry in self._entries:
            if entry.client is not None:
                held = held + entry.client.gauges
        return held

    @property
    def counters(self) -> ClientCounters:
        """What all have done so far, those that ended included."""
        done = self._done
        for entry in self._entries:
            if entry.client is not None:
                done = done + entry.client.counters
        return done


class RosterChanges:
    """An asynchronous iterator over the statuses of a roster; a slow reader skips some."""

    def __init__(self, roster: ClientRoster, status: Callable[[], ClientStatus]) -> None:
        self._roster = roster
        self._status = status
        self._seen: ClientStatus | None = None

    def __aiter__(self) -> RosterChanges:
        return self

    async def __anext__(self) -> ClientStatus:
        """Return the present status, or wait for another one."""
        while (status := self._status()) == self._seen:
            await self._roster.changed.wait()
        self._seen = status
        return self._seen
