"""What the proxies need of a mixnet client, and what connects one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.abc

from nymproxy._background_task import without_group
from nymproxy.address import NodeIdentity
from nymproxy.channel import ChannelMux
from nymproxy.errors import ConfigurationError
from nymproxy.legacy.settling import SettlingTransport
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.traffic import PROFILES
from nymproxy.mixnet.transport import MessageTransport

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType
    from typing import Self

    from nymproxy.channel import ChannelProtocol
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.status import ClientStatus
    from nymproxy.mixnet.traffic import TrafficProfile

FLUSH_SECONDS = 5.0
"""How long one step of stopping may take: flushing a session, and then what is left of all."""


class ConnectedClient(MessageTransport, Protocol):
    """A connected client. It works, reconnecting by itself, while its ``async with`` lasts."""

    @property
    def status(self) -> ClientStatus:
        """Whether it can carry traffic now."""
        ...

    async def __aenter__(self) -> Self:
        """Start working."""
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Disconnect."""
        ...


class Connector(Protocol):
    """Connects a new client, through the given gateway or one of its own choice.

    Raises:
        NymError: no directory, no gateway, or refused.
    """

    async def __call__(self, gateway: NodeIdentity | None = None) -> ConnectedClient:
        """Connect; the caller enters the client, or closes it."""
        ...


def mixnet_connector(
    *,
    network: NetworkDetails | None = None,
    env: str | os.PathLike[str] | None = None,
    profile: TrafficProfile | str = "default",
    gateway: NodeIdentity | str | None = None,
    storage: str | os.PathLike[str] | None = None,
) -> Connector:
    """Return what connects mixnet clients.

    Args:
        network: the network; in its absence what ``env`` and the environment describe.
        env: env file; mainnet without one.
        profile: traffic profile, by name or as an object.
        gateway: entry gateway of all clients; else each chooses its own.
        storage: directory with the keys of one identity; ``None``: fresh ones every time.

    Raises:
        ConfigurationError: the env file or the profile cannot be used.
        AddressError: the gateway is no node identity.
    """
    if isinstance(profile, str):
        if profile not in PROFILES:
            raise ConfigurationError(
                f"there is no profile {profile!r}; choose one of {', '.join(PROFILES)}"
            )
        profile = PROFILES[profile]
    chosen_profile = profile
    details = network if network is not None else NetworkDetails.from_env_file(env)
    own_gateway = NodeIdentity.parse(gateway) if isinstance(gateway, str) else gateway

    async def connect(gateway: NodeIdentity | None = None) -> ConnectedClient:
        from nymproxy.mixnet.client import MessageClient

        return await MessageClient.connect(
            details, storage=storage, gateway=gateway or own_gateway, profile=chosen_profile
        )

    return connect


@dataclass(frozen=True, slots=True)
class RunningMux:
    """The channels of a transport, running.

    Attributes:
        mux: the channels.
        ended: set when the transport has ended.
    """

    mux: ChannelMux
    ended: anyio.Event


@asynccontextmanager
async def running_mux(
    transport: MessageTransport,
    protocols: Sequence[ChannelProtocol],
    *,
    random_bytes: RandomBytes = system_random_bytes,
    flush_seconds: float = FLUSH_SECONDS,
) -> AsyncIterator[RunningMux]:
    """Run the channels of a transport. Leaving closes and flushes them, cancelled or not, and
    waits for the acknowledgement of what was sent, both within ``flush_seconds``."""
    settling = SettlingTransport(transport)
    running = RunningMux(ChannelMux(settling, protocols, random_bytes=random_bytes), anyio.Event())

    async def run(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        try:
            await running.mux.run(task_status=task_status)
        finally:
            running.ended.set()

    with without_group():
        async with anyio.create_task_group() as tasks:
            await tasks.start(run)
            try:
                yield running
            finally:
                deadline = anyio.current_time() + flush_seconds
                with anyio.CancelScope(shield=True):
                    await running.mux.aclose(flush_seconds)
                    with anyio.CancelScope(deadline=deadline):
                        await settling.settled()
                tasks.cancel_scope.cancel()
