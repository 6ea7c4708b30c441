"""Nodes as the directory describes them, and the URLs of their websocket listeners.

Formats of nym-api-requests 1.21.6 (src/nym_nodes.rs, ``SkimmedNodeV1``) and nym-topology 1.21.6
(src/node.rs); vectors: tests/vectors/directory.json, ``endpoints`` and ``topology_default_config``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy import _base58
from nymproxy._strict_json import U16, U32, Fields
from nymproxy.address import NodeIdentity
from nymproxy.errors import (
    AddressError,
    DirectoryFormatError,
    SphinxError,
    TopologyUnavailable,
    UnknownGateway,
)
from nymproxy.mixnet.randomness import uniform_index
from nymproxy.mixnet.sphinx import Hop, NodeAddress
from nymproxy.mixnet.sphinx.addressing import bracketed
from nymproxy.mixnet.sphinx.primitives import ALL_ZERO_SECRET, x25519

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from nymproxy.connection_options import TlsMode
    from nymproxy.mixnet.randomness import RandomBytes

FULL_PERFORMANCE_PERCENT = 100

_MOST_DIGITS = 18
_WHOLE: int = 10**_MOST_DIGITS
_PERFORMANCE = re.compile(rf"([0-9]{{1,3}})(?:\.([0-9]{{1,{_MOST_DIGITS}}}))?")
_NOT_IN_A_HOST_NAME = re.compile(r"[\s\x00-\x1f\x7f/?#@:\[\]\\%]")
_MAX_ADDRESSES = 64
_ANY_SCALAR = bytes(range(32))


@dataclass(frozen=True, slots=True)
class EntryDetails:
    """How clients reach a node's websocket listener.

    Attributes:
        ip_addresses: all announced addresses, in the announced order.
        hostname: a name for the listener, if announced.
        ws_port: the port for ``ws``.
        wss_port: the port for ``wss``, if there is one.
    """

    ip_addresses: tuple[IPv4Address | IPv6Address, ...]
    hostname: str | None
    ws_port: int
    wss_port: int | None

    @property
    def offers_tls(self) -> bool:
        """True when there is a ``wss`` listener, and a name that its certificate can be for."""
        return self.hostname is not None and self.wss_port is not None


@dataclass(frozen=True, slots=True)
class SupportedRoles:
    """What a node declares that it can do, whatever its role in this epoch."""

    mixnode: bool = False
    entry: bool = False
    exit: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A node that packets can be sent to.

    Attributes:
        node_id: the number by which the rewarded set names it.
        identity: its Ed25519 key; the gateway part of Nym addresses.
        sphinx_key: its X25519 key for the topology's key rotation, 32 bytes.
        mix_address: where it takes packets.
        entry: how clients reach it, for nodes that are gateways.
        supported_roles: its declared roles.
        performance_percent: its share of delivered packets in the last day, cut down: 0.499 is 49,
            never 50. Not compared: it changes all the time, and matters only for being listed or
            not.
        hop: the node as a hop of a route.
    """

    node_id: int
    identity: NodeIdentity
    sphinx_key: bytes
    mix_address: NodeAddress
    entry: EntryDetails | None = None
    supported_roles: SupportedRoles = SupportedRoles()
    performance_percent: int = field(default=FULL_PERFORMANCE_PERCENT, compare=False)
    hop: Hop = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hop", Hop(self.mix_address, self.sphinx_key))


def parse_node(fields: Fields) -> Node:
    """Read one entry of a node list.

    Raises:
        DirectoryFormatError: a field is missing or is not what it should be, the node has no IP
            address or too many, the identity is no Ed25519 key, or the Sphinx key has small order,
            which would make every packet through the node fail.
    """
    addresses = tuple([_ip_address(item) for item in fields.array("ip_addresses")])
    if not 0 < len(addresses) <= _MAX_ADDRESSES:
        raise DirectoryFormatError(f"a node without IP addresses, or with over {_MAX_ADDRESSES}")
    identity = _key(fields.text("ed25519_identity_pubkey"))
    sphinx_key = _key(fields.text("x25519_sphinx_pubkey"))
    try:
        node = Node(
            node_id=fields.integer("node_id", U32),
            identity=NodeIdentity(identity),
            sphinx_key=sphinx_key,
            mix_address=NodeAddress(addresses[0], fields.integer("mix_port", U16)),
            entry=_parse_entry(fields.nested("entry"), addresses) if fields.has("entry") else None,
            supported_roles=_parse_roles(fields),
            performance_percent=parse_performance(fields.text("performance")),
        )
    except (AddressError, SphinxError) as error:
        raise DirectoryFormatError(f"a node with an unusable key: {error}") from error
    if x25519(_ANY_SCALAR, sphinx_key) == ALL_ZERO_SECRET:
        raise DirectoryFormatError("a node whose Sphinx key has small order")
    return node


def parse_performance(value: str) -> int:
    """Read a performance: a decimal fraction from 0 to 1 with at most 18 digits, no exponent.

    Returns:
        The whole percent, cut down.

    Raises:
        DirectoryFormatError: it is none.
    """
    match = _PERFORMANCE.fullmatch(value)
    if match is not None:
        # In integers: the module decimal takes half a megabyte in a process that reads no others.
        scaled = int(match[1] + (match[2] or "").ljust(_MOST_DIGITS, "0"))
        if scaled <= _WHOLE:
            return FULL_PERFORMANCE_PERCENT * scaled // _WHOLE
    raise DirectoryFormatError("a performance that is no fraction between 0 and 1")


def gateway_urls(node: Node, tls: TlsMode = "never") -> tuple[str, str | None]:
    """Return the URLs of a gateway's websocket listener.

    Without TLS they are those that the Rust clients choose: the host name, if announced, and then
    the IP addresses in order, all ``ws``, even if the gateway offers TLS. (Unlike them we put IPv6
    addresses into brackets; without, the URL does not parse.) The connection is secured by the
    gateway protocol either way; TLS hides from the line whose connection it is.

    Args:
        node: the gateway.
        tls: ``prefer`` takes ``wss`` where it is offered, with ``ws`` as the fallback; ``always``
            takes nothing else; ``never`` does not take it.

    Returns:
        The primary URL and the fallback, if there is one.

    Raises:
        UnknownGateway: the node is no gateway, has no address, or offers no TLS although it must.
    """
    entry = node.entry
    if entry is None:
        raise UnknownGateway("the node takes no clients: choose another gateway")
    if tls == "always" and not entry.offers_tls:
        raise UnknownGateway("the gateway offers no TLS: choose another, or do without TLS")
    hosts = [] if entry.hostname is None else [entry.hostname]
    hosts += [bracketed(ip) for ip in entry.ip_addresses]
    urls = [f"ws://{host}:{entry.ws_port}" for host in hosts]
    if tls != "never" and entry.offers_tls:
        secure = f"wss://{entry.hostname}:{entry.wss_port}"
        urls = [secure] if tls == "always" else [secure, *urls]
    if not urls:
        raise UnknownGateway("the gateway announces no address: choose another gateway")
    return urls[0], urls[1] if len(urls) > 1 else None


def choose_gateway(
    nodes: Sequence[Node],
    requested: NodeIdentity | None,
    random_bytes: RandomBytes,
    *,
    needs_tls: bool = False,
    avoided: Collection[NodeIdentity] = (),
) -> Node:
    """Choose the gateway to register at: the requested one, or any with equal probability.

    Args:
        nodes: the candidates; those without entry details are left out.
        requested: the identity that must be used, if any.
        random_bytes: source of the choice.
        needs_tls: choose only among those that offer it.
        avoided: choose none of these.

    Raises:
        UnknownGateway: the requested one is not among the candidates, or takes no clients.
        TopologyUnavailable: there is no candidate at all.
    """
    if requested is not None:
        for node in nodes:
            if node.identity == requested:
                if node.entry is None:
                    raise UnknownGateway("the requested node takes no clients: choose another")
                return node
        raise UnknownGateway(
            "the requested gateway is not in the directory, or performs below the limit: check"
            " its identity, or choose another gateway"
        )
    candidates = [
        node
        for node in nodes
        if node.entry is not None
        and (node.entry.offers_tls or not needs_tls)
        and node.identity not in avoided
    ]
    if not candidates:
        offering = " that offers TLS" if needs_tls else ""
        other = "other " if avoided else ""
        raise TopologyUnavailable(
            f"the directory lists no {other}usable gateway{offering}: try again later"
        )
    return candidates[uniform_index(random_bytes, len(candidates))]


def _parse_roles(fields: Fields) -> SupportedRoles:
    if "supported_roles" not in fields:
        return SupportedRoles()
    roles = fields.nested("supported_roles")
    return SupportedRoles(
        mixnode=roles.boolean("mixnode", False),
        entry=roles.boolean("entry", False),
        exit=roles.boolean("exit_nr", False) and roles.boolean("exit_ipr", False),
    )


def _parse_entry(fields: Fields, addresses: tuple[IPv4Address | IPv6Address, ...]) -> EntryDetails:
    return EntryDetails(
        ip_addresses=addresses,
        hostname=host_name(fields.text("hostname") if fields.has("hostname") else None),
        ws_port=fields.integer("ws_port", U16),
        wss_port=fields.integer("wss_port", U16) if fields.has("wss_port") else None,
    )


def host_name(value: str | None) -> str | None:
    """Return a host name in ASCII, or ``None`` where it is none: it is optional, and anybody's."""
    if not value or len(value) > 253:
        return None
    try:
        name = value.encode("idna").decode()
    except UnicodeError:
        return None
    return None if _NOT_IN_A_HOST_NAME.search(name) else name


def _ip_address(value: object) -> IPv4Address | IPv6Address:
    if not isinstance(value, str):
        raise DirectoryFormatError("an IP address that is no text")
    try:
        return NodeAddress.parse(value, 0).ip
    except AddressError as error:
        raise DirectoryFormatError("a text that is no IP address") from error


def _key(value: str) -> bytes:
    try:
        return _base58.decode_exactly(value, 32)
    except ValueError as error:
        raise DirectoryFormatError("a key that is not 32 bytes in base58") from error
