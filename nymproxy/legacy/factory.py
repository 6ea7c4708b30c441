"""Mixnet clients for the proxies, from an env file, a profile and a storage directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.address import NodeIdentity
from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.traffic import PROFILES

if TYPE_CHECKING:
    import os

    from nymproxy.legacy.clients import ClientFactory, ProxyClient
    from nymproxy.mixnet.traffic import TrafficProfile


def mixnet_client_factory(
    *,
    network: NetworkDetails | None = None,
    env: str | os.PathLike[str] | None = None,
    profile: TrafficProfile | str = "default",
    gateway: NodeIdentity | str | None = None,
    storage: str | os.PathLike[str] | None = None,
) -> ClientFactory:
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

    async def connect(gateway: NodeIdentity | None = None) -> ProxyClient:
        from nymproxy.mixnet.client import MessageClient

        return await MessageClient.connect(
            details, storage=storage, gateway=gateway or own_gateway, profile=chosen_profile
        )

    return connect
