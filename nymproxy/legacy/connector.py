"""What the proxies need of a mixnet client, and what connects one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nymproxy.address import NodeIdentity
from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import ConfigurationError
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.traffic import PROFILES
from nymproxy.mixnet.transport import MessageTransport

if TYPE_CHECKING:
    import os
    from types import TracebackType
    from typing import Self

    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.mixnet.machine import ClientStatus
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
    options: ConnectionOptions = DEFAULT_OPTIONS,
    memory: MemoryAccount | None = None,
) -> Connector:
    """Return what connects mixnet clients.

    Args:
        network: the network; in its absence what ``env`` and the environment describe.
        env: env file; mainnet without one.
        profile: traffic profile, by name or as an object.
        gateway: entry gateway of all clients; else each chooses its own.
        storage: directory with the keys of one identity; ``None``: fresh ones every time.
        options: TLS towards the gateway, and a proxy on the way to it.
        memory: where everything is charged that others make the clients keep; by default one
            account for all of them.

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
    account = MemoryAccount() if memory is None else memory
    details = network if network is not None else NetworkDetails.from_env_file(env)
    own_gateway = NodeIdentity.parse(gateway) if isinstance(gateway, str) else gateway

    async def connect(gateway: NodeIdentity | None = None) -> ConnectedClient:
        from nymproxy.mixnet.client import MessageClient

        return await MessageClient.connect(
            details,
            storage=storage,
            gateway=gateway or own_gateway,
            profile=chosen_profile,
            options=options,
            memory=account,
        )

    return connect
