"""Getting a client connected: keys, topology, gateway choice, registration or authentication.

The start-up sequence of nym-client-core 1.21.6 (src/init/mod.rs, src/client/base_client/mod.rs)
with one connection instead of two.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from nymproxy.address import NymAddress
from nymproxy.connection_options import DEFAULT_OPTIONS, ConnectionOptions
from nymproxy.errors import ConfigurationError, UnknownGateway
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.directory import choose_gateway, gateway_urls
from nymproxy.mixnet.directory.client import DirectoryClient
from nymproxy.mixnet.directory.keeper import TopologyKeeper
from nymproxy.mixnet.directory.recent import RecentAnswers
from nymproxy.mixnet.gateway import ClientIdentityKey, GatewayListener
from nymproxy.mixnet.gateway.link import GatewayLink
from nymproxy.mixnet.machine import ClientMachine, ClientStatus, PacketBuilder
from nymproxy.mixnet.messages import (
    AckKey,
    CoverKeys,
    InboundDecoder,
    PacketOpener,
    ReplyKeyStore,
)
from nymproxy.mixnet.storage import ClientKeys, ClientStorage, GatewayRegistration, StoredClient
from nymproxy.mixnet.storage.ephemeral import EphemeralStorage
from nymproxy.mixnet.traffic import DEFAULT
from nymproxy.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.directory import NetworkDetails, Node, Topology
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.tracing import Trace

_logger = logging.getLogger("nymproxy.client")

_CLOSE_SECONDS: Final = 5.0

LISTENER_LIFETIME_NS: Final = 7 * 24 * 3600 * 1_000_000_000
"""After this time a gateway's URLs are looked up again, as Rust clients do."""


def open_storage(storage: str | os.PathLike[str] | ClientStorage | None) -> ClientStorage:
    """Return the storage that an argument means: a path, an object, or nothing (in memory).

    Raises:
        ConfigurationError: it is none of these.
    """
    if storage is None:
        return EphemeralStorage()
    # With these come a database and locks, two of the fifty MiB of a client that keeps nothing.
    from nymproxy.mixnet.storage.directory import DirectoryStorage
    from nymproxy.mixnet.storage.identities import KeyDirectory

    if isinstance(storage, KeyDirectory):
        return DirectoryStorage(storage.path, storage.passphrase)
    if isinstance(storage, (str, os.PathLike)):
        return DirectoryStorage(storage)
    if not hasattr(storage, "save_keys"):
        raise ConfigurationError(
            "the path of a directory is wanted for the keys, or a ClientStorage; this is "
            f"{type(storage).__name__}"
        )
    return storage


_warned_of: set[tuple[str, str]] = set()


def warn_of_weak_profile(network: NetworkDetails, profile: TrafficProfile) -> None:
    """Say, once, that a profile hides less than the default one, unless that is a localnet's."""
    is_weak = (
        profile.sending_delay_seconds is None
        or profile.packet_delay_seconds < DEFAULT.packet_delay_seconds
    )
    key = (network.network_name, profile.name)
    if is_weak and not network.is_localnet and key not in _warned_of:
        _warned_of.add(key)
        _logger.warning(
            "the traffic profile %r hides less than the default one, and is meant for local "
            "networks; the network here is %r",
            profile.name,
            network.network_name,
        )


@dataclass(frozen=True, slots=True)
class Environment:
    """Where time and randomness come from, and how the outside is reached.

    Attributes:
        clock: monotonic seconds.
        unix_time: wall-clock seconds.
        random_bytes: source of everything random.
        options: TLS and proxy.
        memory: the account of what others make the client keep.
    """

    clock: Callable[[], float]
    unix_time: Callable[[], float]
    random_bytes: RandomBytes
    options: ConnectionOptions = DEFAULT_OPTIONS
    memory: MemoryAccount = field(default_factory=MemoryAccount)

    def unix_ns(self) -> int:
        """Return the wall clock in nanoseconds."""
        return int(self.unix_time() * 1e9)


async def load_client(storage: ClientStorage, random_bytes: RandomBytes) -> StoredClient:
    """Return the stored client, with new keys if there is none.

    Raises:
        StorageError: the storage cannot be used.
    """
    stored = await storage.load()
    if stored is None:
        keys = ClientKeys.generate(random_bytes)
        await storage.save_keys(keys)
        stored = StoredClient(keys, None, 0)
    return stored


def address_of(keys: ClientKeys, gateway: NodeIdentity) -> NymAddress:
    """Return the address of a client at a gateway."""
    return NymAddress(keys.identity_public, keys.encryption_public, gateway)


async def find_gateway(
    stored: StoredClient,
    requested: NodeIdentity | None,
    topology: Topology,
    directory: DirectoryClient | RecentAnswers,
    environment: Environment,
    *,
    avoided: Collection[NodeIdentity] = (),
) -> GatewayRegistration:
    """Return the gateway to use, without a shared key if the client has to register.

    The stored one is used if none or the same is requested, so that the address stays. Its URLs
    are taken from the topology when they are old, or are not as the options want them. A new one
    is none of those to be avoided.

    Raises:
        DirectoryUnavailable: a gateway has to be chosen, and no directory answers.
        UnknownGateway: the requested or stored one is not listed, or offers no TLS although it
            must.
        TopologyUnavailable: none is listed.
    """
    registration = stored.registration
    if registration is not None and requested in (None, registration.identity):
        return _renewed(registration, topology.egress(registration.identity), environment)
    nodes = await directory.fetch_gateways()
    needs_tls = environment.options.tls == "always"
    node = choose_gateway(
        nodes, requested, environment.random_bytes, needs_tls=needs_tls, avoided=avoided
    )
    topology.egress(node.identity)
    return _registration(node, environment, None)


def _renewed(
    registration: GatewayRegistration, node: Node, environment: Environment
) -> GatewayRegistration:
    tls = environment.options.tls
    uses_tls = registration.listener.startswith("wss:")
    takes_other_urls = tls == "always" and not (uses_tls and registration.fallback is None)
    if node.entry is None:  # it takes no clients in this epoch; those that it has may still come
        if takes_other_urls:
            raise UnknownGateway("the gateway offers no TLS: choose another, or do without TLS")
        return registration
    is_fresh = environment.unix_ns() < registration.expiry_ns
    uses_what_it_should = uses_tls == (tls != "never" and node.entry.offers_tls)
    if is_fresh and uses_what_it_should and not takes_other_urls:
        return registration
    return _registration(node, environment, registration)


def _registration(
    node: Node, environment: Environment, old: GatewayRegistration | None
) -> GatewayRegistration:
    url, fallback = gateway_urls(node, environment.options.tls)
    return GatewayRegistration(
        node.identity,
        None if old is None else old.shared_key,
        url,
        fallback,
        environment.unix_ns() + LISTENER_LIFETIME_NS,
        0 if old is None else old.registered_ns,
    )


def make_link(
    stored: StoredClient,
    registration: GatewayRegistration,
    storage: ClientStorage,
    environment: Environment,
) -> GatewayLink:
    """Make the link to the gateway; it keeps what it learns in the storage."""

    async def on_registered(shared_key: bytes) -> None:
        await storage.save_registration(
            GatewayRegistration(
                registration.identity,
                shared_key,
                registration.listener,
                registration.fallback,
                registration.expiry_ns,
                registration.registered_ns,
            )
        )

    return GatewayLink(
        GatewayListener(registration.identity, registration.listener, registration.fallback),
        ClientIdentityKey(stored.keys.identity_seed),
        shared_key=registration.shared_key,
        last_authentication=stored.last_authentication,
        clock=environment.clock,
        unix_time=environment.unix_time,
        random_bytes=environment.random_bytes,
        on_registered=on_registered,
        on_authenticating=storage.save_last_authentication,
        options=environment.options,
        memory=environment.memory,
    )


@dataclass(frozen=True, slots=True)
class ClientParts:
    """What a client stands on.

    Attributes:
        machine: decides everything.
        link: connected.
        keeper: with a topology.
        storage: closed with the client.
        clock: the machine's.
        is_restored: the address was made by an earlier process.
    """

    machine: ClientMachine
    link: GatewayLink
    keeper: TopologyKeeper
    storage: ClientStorage
    clock: Callable[[], float]
    is_restored: bool = False


def assemble(
    stored: StoredClient,
    link: GatewayLink,
    keeper: TopologyKeeper,
    storage: ClientStorage,
    profile: TrafficProfile,
    environment: Environment,
) -> ClientParts:
    """Make the machine of a real client, and put it to what it works with."""
    keys = stored.keys
    random_bytes = environment.random_bytes
    address = address_of(keys, link.listener.identity)
    memory = environment.memory
    ack_key, reply_keys = AckKey(keys.ack_key), ReplyKeyStore(memory=memory)
    cover_keys = CoverKeys(keys.encryption_private)
    builder = PacketBuilder(address, ack_key, profile, random_bytes, cover_keys)
    builder.use_topology(keeper.require())
    opener = PacketOpener(keys.encryption_private, ack_key, reply_keys, cover_keys)
    machine = ClientMachine(
        address,
        builder,
        InboundDecoder(opener, memory=memory),
        reply_keys,
        profile,
        random_bytes=random_bytes,
        now=environment.clock(),
        memory=memory,
    )
    is_restored = stored.registration is not None
    return ClientParts(machine, link, keeper, storage, environment.clock, is_restored)


async def connect_parts(
    network: NetworkDetails,
    storage: ClientStorage,
    gateway: NodeIdentity | None,
    profile: TrafficProfile,
    environment: Environment,
    *,
    avoided: Collection[NodeIdentity],
    recent: RecentAnswers | None,
    show: Callable[[ClientStatus], None],
    trace: Trace | None,
) -> ClientParts:
    """Go all the way to a connected client; :meth:`MessageClient.connect` says what fails.

    Args:
        network: the network.
        storage: closed if this fails.
        gateway: the gateway to use; by default the stored one, or any.
        profile: shapes the traffic.
        environment: time, randomness, and the way out.
        avoided: gateways that are not chosen where any may be.
        recent: what the directory said lately, if others start with it, too.
        show: is told each step.
        trace: likewise.
    """
    link = None
    try:
        stored = await load_client(storage, environment.random_bytes)
        show(ClientStatus(0.1, False, False, "asking the directory for the topology"))
        unix_time = environment.unix_time
        if recent is None:
            directory = DirectoryClient(network, options=environment.options)
            recent = RecentAnswers(directory, unix_time=unix_time)
        keeper = TopologyKeeper(
            recent.directory,
            first=recent,
            unix_time=unix_time,
            random_bytes=environment.random_bytes,
        )
        with traced(trace, "connect.directory"):
            topology = await keeper.refresh()
        show(ClientStatus(0.4, False, False, "choosing a gateway"))
        registration = await find_gateway(
            stored, gateway, topology, recent, environment, avoided=avoided
        )
        keeper.avoid_as_mix(registration.identity)
        if registration != stored.registration and registration.shared_key is not None:
            await storage.save_registration(registration)
        link = make_link(stored, registration, storage, environment)
        show(ClientStatus(0.6, False, False, "connecting to the gateway"))
        with traced(trace, "connect.gateway"):
            await link.connect()
        return assemble(stored, link, keeper, storage, profile, environment)
    except BaseException:
        await close_all(link, storage)
        raise


async def close_all(link: GatewayLink | None, storage: ClientStorage) -> None:
    """Close what a client has open; also when cancelled, and in a bounded time."""
    with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
        if link is not None:
            await link.aclose()
        await storage.close()
