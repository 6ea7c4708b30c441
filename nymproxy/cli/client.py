"""``nymproxy client``: a local TCP port whose connections come out at a proxy server's upstream."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy.cli.choices import IdentityMode
from nymproxy.cli.connection import connection_options, probe_address, traffic_profile
from nymproxy.cli.inputs import Inputs
from nymproxy.cli.keys import without_limits
from nymproxy.cli.running import run_all
from nymproxy.errors import ConfigurationError
from nymproxy.forward.endpoint import TcpEndpoint
from nymproxy.legacy import WireSettings
from nymproxy.legacy.client import NymProxyClient
from nymproxy.legacy.connector import mixnet_connector
from nymproxy.operating.forward import Plan
from nymproxy.stream import StreamOptions

if TYPE_CHECKING:
    from nymproxy.address import NymAddress
    from nymproxy.cli.settings import ClientSettings
    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.legacy.connector import Connector
    from nymproxy.legacy.lasting import IdentityGroup
    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.directory import NetworkDetails
    from nymproxy.operating.groups import IdentityGroups


def plan_of(
    settings: ClientSettings,
    name: str,
    memory: MemoryAccount,
    groups: IdentityGroups,
    inputs: Inputs,
) -> Plan:
    """Return what the settings ask for.

    Args:
        settings: of the client.
        name: of the forward.
        memory: the account of the process.
        groups: of the process.
        inputs: where files are read that the settings name.

    Raises:
        ConfigurationError: a group is named, but the identity is not to be shared; or nobody is
            there to ask what is to be probed; or a file cannot be read.
        AddressError: what is to be probed is no address.
    """
    network = inputs.network(settings.env_path)
    options = connection_options(settings, inputs)
    group = _group_of(settings, memory, groups, network, options)

    async def make(roster: ClientRoster) -> NymProxyClient:
        return NymProxyClient(
            settings.server_address or [],
            settings.listen_address,
            settings.listen_port,
            settings.close_timeout_seconds,
            default_client_amount=settings.client_pool_reserve,
            network=network,
            listen=settings.listen,
            upstream_header=settings.upstream_header,
            wire=settings.wire.value,
            identity_mode=settings.identity_mode.value,
            profile=traffic_profile(settings),
            options=options,
            connect_timeout=settings.connect_timeout_seconds,
            settings=WireSettings(
                stream=StreamOptions(require_sealed=settings.require_sealed)
            ).with_timeouts(idle=settings.idle_timeout_seconds),
            memory=memory,
            max_connections=settings.max_connections,
            roster=roster,
            group=group,
        )

    def describe(client: NymProxyClient) -> dict[str, object]:
        return {
            "name": name,
            "local_address": str(client.local_endpoint),
            "wire": settings.wire.value,
            "identity_mode": settings.identity_mode.value,
        }

    def adjust(client: NymProxyClient) -> None:
        client.use_limit(settings.max_connections)

    return Plan(
        name=name,
        role="client",
        settings=settings,
        fixed=without_limits(settings, "client"),
        make=make,
        describe=describe,
        adjust=adjust,
        address_file=settings.address_file,
        roster=None if group is None else group.roster,
        probe=_probe_of(settings),
    )


def _probe_of(settings: ClientSettings) -> NymAddress | None:
    address = probe_address(settings)
    is_fresh = settings.identity_mode is IdentityMode.PER_CONNECTION
    if address is not None and is_fresh and settings.client_pool_reserve == 0:
        raise ConfigurationError(
            "a probe needs an identity that asks: keep one in reserve (client_pool_reserve)"
        )
    return address


def _group_of(
    settings: ClientSettings,
    memory: MemoryAccount,
    groups: IdentityGroups,
    network: NetworkDetails,
    options: ConnectionOptions,
) -> IdentityGroup | None:
    name = settings.identity_group
    if name is None:
        return None
    if settings.identity_mode is not IdentityMode.SHARED:
        raise ConfigurationError(
            f"identity_group {name!r}: only forwards with the identity 'shared' share one"
        )

    def connector(roster: ClientRoster) -> Connector:
        return mixnet_connector(
            network=network,
            profile=traffic_profile(settings),
            options=options,
            memory=memory,
            roster=roster,
            roams=True,
        )

    way = (settings.env_path, settings.tls, settings.proxy, settings.ca_file)
    return groups.group(name, (settings.profile, settings.copies, *way), connector)


def forwards_of(settings: ClientSettings) -> dict[str, ClientSettings]:
    """Return what the flags ask for, by name: one forward, or one for each ``-L``.

    Raises:
        ConfigurationError: no server is named, or twice, or ``-L`` cannot be read.
    """
    if not settings.forward:
        if not settings.server_address:
            raise ConfigurationError("name the server: -s ADDRESS, or -L PORT:ADDRESS")
        return {"client": settings}
    if settings.server_address or settings.listen:
        raise ConfigurationError("-L says where to listen and for which server: leave out the rest")
    found = {}
    for text in settings.forward:
        listen, address = parse_forward(text, settings.listen_address)
        found[f"client-{listen}"] = replace(
            settings, listen=listen, server_address=[address], forward=None
        )
    return found


def parse_forward(text: str, host: str) -> tuple[str, str]:
    """Read ``[HOST:]PORT:ADDRESS``; return where to listen, and the address.

    Raises:
        ConfigurationError: it is none.
    """
    place, _, address = text.rpartition(":")
    listen = place if ":" in place else f"{host}:{place}"
    try:
        return str(TcpEndpoint.parse(listen)), address
    except ConfigurationError as error:
        raise ConfigurationError(f"-L {place}: {error}; write [HOST:]PORT:ADDRESS") from error


def run(settings: ClientSettings) -> None:
    """Run until a signal; raises what :func:`nymproxy.cli.outcome.explain` explains."""
    wanted, inputs = forwards_of(settings), Inputs()

    def plans_of(memory: MemoryAccount, groups: IdentityGroups) -> list[Plan]:
        return [plan_of(each, name, memory, groups, inputs) for name, each in wanted.items()]

    run_all(plans_of, settings, settings.env_path)
