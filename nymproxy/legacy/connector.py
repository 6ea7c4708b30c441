"""What the proxies need of a mixnet client, and what connects one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nymproxy._arguments import check_number, of_kind
from nymproxy.address import NodeIdentity
from nymproxy.connection_options import DEFAULT_OPTIONS, ConnectionOptions
from nymproxy.errors import ConfigurationError
from nymproxy.legacy.roster import ClientRoster
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.machine.gateway_moves import GatewayMoves
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.traffic import DEFAULT, profile_of
from nymproxy.tracing import traced

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine

    from nymproxy.mixnet.client.message_client import MessageClient
    from nymproxy.mixnet.directory import Node
    from nymproxy.mixnet.directory.recent import RecentAnswers
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.mixnet.transport import ConnectedClient
    from nymproxy.tracing import Trace

FLUSH_SECONDS = 5.0
"""How long one step of stopping may take: flushing a session, and then what is left of all."""

PATIENCE_SECONDS = 10.0
"""How long a link may be down before its client goes to another gateway."""
HASTY_PATIENCE_SECONDS = 4.0
"""The same, in profiles that hide less."""


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
    network: NetworkDetails | str | os.PathLike[str] | None = None,
    env: str | os.PathLike[str] | None = None,
    profile: TrafficProfile | str = "default",
    gateway: NodeIdentity | str | None = None,
    storage: str | os.PathLike[str] | None = None,
    options: ConnectionOptions = DEFAULT_OPTIONS,
    memory: MemoryAccount | None = None,
    roster: ClientRoster | None = None,
    roams: bool = False,
    trace: Trace | None = None,
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
        roster: is told of all clients.
        roams: have clients go to another gateway when theirs is lost, unless ``gateway`` names it.
        trace: is told of each connecting, and of its steps.

    Raises:
        ConfigurationError: the env file or the profile cannot be used.
        AddressError: the gateway is no node identity.
    """
    details, chosen, account = _common(network, env, profile, memory, options)
    own_gateway = None if gateway is None else NodeIdentity.of(gateway)
    roster = ClientRoster() if roster is None else roster
    recent = _recent_of(details, options)

    async def connect(gateway: NodeIdentity | None = None) -> MessageClient:
        from nymproxy.mixnet.client.message_client import MessageClient

        with traced(trace, "connect"):
            return await MessageClient.connect(
                details,
                storage=storage,
                gateway=gateway or own_gateway,
                profile=chosen,
                options=options,
                memory=account,
                watcher=roster.enter(),
                recent=recent(),
                trace=trace,
            )

    if not roams or own_gateway is not None:
        return connect
    return _roaming(connect, chosen, options, recent)


def _recent_of(details: NetworkDetails, options: ConnectionOptions) -> Callable[[], RecentAnswers]:
    """Return what makes, when it is first needed, what all clients of a connector ask."""
    made: list[RecentAnswers] = []

    def recent() -> RecentAnswers:
        from nymproxy.mixnet.directory.client import DirectoryClient
        from nymproxy.mixnet.directory.recent import RecentAnswers

        if not made:
            made.append(RecentAnswers(DirectoryClient(details, options=options)))
        return made[0]

    return recent


def _roaming(
    connect: Callable[..., Coroutine[Any, Any, MessageClient]],
    profile: TrafficProfile,
    options: ConnectionOptions,
    recent: Callable[[], RecentAnswers],
) -> Connector:
    patience = (
        PATIENCE_SECONDS
        if profile.packet_delay_seconds >= DEFAULT.packet_delay_seconds
        else HASTY_PATIENCE_SECONDS
    )
    moves: GatewayMoves[NodeIdentity] | None = None

    async def connect_and_roam(gateway: NodeIdentity | None = None) -> ConnectedClient:
        nonlocal moves
        from nymproxy.mixnet.client.roaming import RoamingClient

        if moves is None:
            nodes = await recent().fetch_gateways()
            usable = [node.identity for node in nodes if _is_usable(node, options)]
            moves = moves or GatewayMoves(usable, system_random_bytes)
        client = await connect(gateway)
        return RoamingClient(client, connect, moves, patience_seconds=patience)

    return connect_and_roam


def _is_usable(node: Node, options: ConnectionOptions) -> bool:
    return node.entry is not None and (node.entry.offers_tls or options.tls != "always")


def server_connector(
    *,
    gateway: NodeIdentity | str | Sequence[NodeIdentity | str] | None,
    count: int,
    network: NetworkDetails | str | os.PathLike[str] | None = None,
    env: str | os.PathLike[str] | None = None,
    profile: TrafficProfile | str = "default",
    storage: str | os.PathLike[str] | None = None,
    options: ConnectionOptions = DEFAULT_OPTIONS,
    memory: MemoryAccount | None = None,
    roster: ClientRoster | None = None,
    trace: Trace | None = None,
) -> Connector:
    """Return what connects a server, at one gateway or several.

    Args:
        gateway: one, several, or ``None``.
        count: at how many in all, at least; others than those are chosen at random.
        network, env, profile, storage, options, memory, roster: as for
            :func:`mixnet_connector`; the identities are kept as :meth:`ClientGroup.connect` says.
        trace: is told of connecting; of its steps, too, if that is to one gateway.

    Raises:
        ConfigurationError: a gateway is named twice, or there is none; and as
            :func:`mixnet_connector`.
        AddressError: a gateway is no node identity.
    """
    given: Sequence[NodeIdentity | str | None] = (
        gateway if isinstance(gateway, Sequence) and not isinstance(gateway, str) else [gateway]
    )
    gateways = [None if each is None else NodeIdentity.of(each) for each in given]
    check_number(count, "the number of gateways", whole=True)
    gateways += [None] * (count - len(gateways))
    named = [each for each in gateways if each is not None]
    if not gateways or len(set(named)) < len(named):
        raise ConfigurationError("name each gateway of a server once, and at least one")
    details, chosen, account = _common(network, env, profile, memory, options)
    roster = ClientRoster() if roster is None else roster

    async def connect(gateway: NodeIdentity | None = None) -> ConnectedClient:
        from nymproxy.mixnet.client.group import ClientGroup

        with traced(trace, "connect"):
            return await ClientGroup.connect(
                details,
                gateways=gateways,
                storage=storage,
                profile=chosen,
                options=options,
                memory=account,
                watch=roster.enter,
            )

    if len(gateways) > 1:
        return connect
    return mixnet_connector(
        network=details,
        gateway=gateways[0],
        storage=storage,
        profile=chosen,
        options=options,
        memory=account,
        roster=roster,
        trace=trace,
    )


def _common(
    network: NetworkDetails | str | os.PathLike[str] | None,
    env: str | os.PathLike[str] | None,
    profile: TrafficProfile | str,
    memory: MemoryAccount | None,
    options: ConnectionOptions,
) -> tuple[NetworkDetails, TrafficProfile, MemoryAccount]:
    of_kind(options, ConnectionOptions, "ConnectionOptions")
    details = NetworkDetails.of(env if network is None else network)
    account = MemoryAccount() if memory is None else memory
    return details, profile_of(profile), account
