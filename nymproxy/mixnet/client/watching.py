"""Who is told how a client fares, from the attempt to connect it to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nymproxy.errors import NymError
    from nymproxy.mixnet.client.message_client import MessageClient
    from nymproxy.mixnet.machine import ClientStatus


class ClientWatcher(Protocol):
    """Watches one client. What it does is quick, and does not raise."""

    def show(self, status: ClientStatus) -> None:
        """Take note of a status: each step on the way, and each later one (again when the
        topology changes). A closed one is the last."""
        ...

    def connected(self, client: MessageClient) -> None:
        """Take note of the client."""
        ...

    def failed(self, error: NymError | None) -> None:
        """Take note that it could not be connected; without an error, that nobody wants it."""
        ...


class Unwatched:
    """Watches nothing."""

    def show(self, status: ClientStatus) -> None:
        """See :class:`ClientWatcher`, as for the others."""

    def connected(self, client: MessageClient) -> None:
        """Nothing."""

    def failed(self, error: NymError | None) -> None:
        """Nothing."""
