"""Headers: routing information that each hop of a route can read only its own part of.

Format of sphinx-packet 0.6.0 (src/header/); vectors: tests/vectors/sphinx.json, ``packets``.
:class:`HeaderMaterial` is what packets, acks, SURBs and the pool of prepared headers share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx.constants import (
    DESTINATION_LENGTH,
    FINAL_BLOCK_LENGTH,
    HOP_BLOCK_LENGTH,
    IDENTIFIER_LENGTH,
    KEY_LENGTH,
    KEYSTREAM_LENGTH,
    LEGACY_VERSIONS,
    MAX_HOPS,
    NODE_ADDRESS_LENGTH,
    ROUTING_LENGTH,
    VERSION,
    VERSION_EXPLICIT_KEYS,
    KeyRotation,
)
from nymproxy.mixnet.sphinx.keys import (
    MAC_KEY,
    PAYLOAD_KEY,
    PAYLOAD_KEY_SEED,
    STREAM_KEY,
    expand_route,
    payload_key,
)
from nymproxy.mixnet.sphinx.primitives import hmac16, keystream, xor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx.addressing import NodeAddress

FORWARD_FLAG = 1
FINAL_FLAG = 2

_NO_IDENTIFIER = bytes(IDENTIFIER_LENGTH)
_MAX_DELAY_NS = (1 << 64) - 1
_HOP_BLOCK_ZEROS = bytes(HOP_BLOCK_LENGTH)
_INNER_ROUTING_LENGTH = ROUTING_LENGTH - HOP_BLOCK_LENGTH


@dataclass(frozen=True, slots=True)
class Hop:
    """One node of a route.

    Attributes:
        address: where the hop before it sends the packet.
        public_key: the node's X25519 Sphinx key of the route's key rotation, 32 bytes.
    """

    address: NodeAddress
    public_key: bytes

    def __post_init__(self) -> None:
        if len(self.public_key) != KEY_LENGTH:
            raise SphinxError(
                SphinxErrorKind.UNUSABLE_KEY,
                f"a Sphinx key has {KEY_LENGTH} bytes, not {len(self.public_key)}",
            )


@dataclass(frozen=True, slots=True, repr=False)
class HeaderMaterial:
    """A header, and what its user needs to put a payload behind it. To be used once.

    Attributes:
        header: 348 bytes.
        first_hop: where the finished packet goes.
        payload_key_seeds: one for each hop, in route order: 16 bytes each, or with version 258 the
            192-byte payload keys themselves.
        delay_ns: the time the packet waits at nodes: all delays but the last, which nobody applies.
        rotation: the rotation of the nodes' keys; goes beside the packet, and into reply SURBs.
    """

    header: bytes
    first_hop: NodeAddress
    payload_key_seeds: tuple[bytes, ...]
    delay_ns: int
    rotation: KeyRotation

    def payload_keys(self) -> tuple[bytes, ...]:
        """Derive the 192-byte payload keys, in route order (about 5 us for each hop)."""
        return tuple([payload_key(seed) for seed in self.payload_key_seeds])


@dataclass(frozen=True, slots=True, repr=False)
class PreparedHeader:
    """A :class:`HeaderMaterial` with its payload keys derived ahead of time. To be used once."""

    material: HeaderMaterial
    keys: tuple[bytes, ...]

    @classmethod
    def from_material(cls, material: HeaderMaterial) -> PreparedHeader:
        """Derive the payload keys now."""
        return cls(material, material.payload_keys())

    @property
    def header(self) -> bytes:
        """The 348 bytes of the header."""
        return self.material.header

    @property
    def first_hop(self) -> NodeAddress:
        """Where the finished packet goes."""
        return self.material.first_hop

    @property
    def delay_ns(self) -> int:
        """The time the packet waits at nodes."""
        return self.material.delay_ns

    @property
    def rotation(self) -> KeyRotation:
        """The rotation of the nodes' keys."""
        return self.material.rotation

    def payload_keys(self) -> tuple[bytes, ...]:
        """Return the payload keys, in route order."""
        return self.keys


def build_header(
    route: Sequence[Hop],
    delays_ns: Sequence[int],
    destination: bytes,
    *,
    rotation: KeyRotation,
    random_bytes: RandomBytes,
    version: int = VERSION,
    identifier: bytes = _NO_IDENTIFIER,
    initial_secret: bytes | None = None,
    final_padding: bytes | None = None,
) -> HeaderMaterial:
    """Build a header for a route of 1 to 5 hops.

    Args:
        route: the hops; the last one is the recipient's gateway.
        delays_ns: one for each hop, in nanoseconds; the last one is not encoded.
        destination: 32 bytes for the last hop, the recipient's Ed25519 identity.
        rotation: the key rotation that the route's keys belong to.
        random_bytes: source of the secret and the padding.
        version: only for tests, as are all arguments after it: other versions than 259 can be told
            apart by nodes. The legacy versions are refused.
        identifier: 16 bytes for the last hop; all zero on this network.
        initial_secret: 32 bytes instead of random ones.
        final_padding: the padding of the last hop's block instead of random bytes.

    Raises:
        SphinxError: a route or a delay that cannot be encoded (``INVALID_ROUTE``), or a node key of
            small order (``UNUSABLE_KEY``).
    """
    _check_route(len(route), delays_ns, destination, version)
    explicit_keys = version == VERSION_EXPLICIT_KEYS
    key_area = PAYLOAD_KEY if explicit_keys else PAYLOAD_KEY_SEED
    alpha, secrets = expand_route(
        [hop.public_key for hop in route],
        random_bytes(KEY_LENGTH) if initial_secret is None else initial_secret,
        last_length=key_area.stop,
    )
    if final_padding is None:
        final_padding = random_bytes(final_padding_length(len(route)))
    header = assemble_header(
        alpha,
        secrets,
        [hop.address.pad(NODE_ADDRESS_LENGTH) for hop in route],
        delays_ns,
        destination + identifier + final_padding,
        version,
    )
    return HeaderMaterial(
        header=header,
        first_hop=route[0].address,
        payload_key_seeds=tuple([secret[key_area] for secret in secrets]),
        delay_ns=sum(delays_ns[:-1]),
        rotation=rotation,
    )


def final_padding_length(hop_count: int) -> int:
    """Return how many random bytes fill the last hop's block."""
    return ROUTING_LENGTH - HOP_BLOCK_LENGTH * (hop_count - 1) - FINAL_BLOCK_LENGTH


def assemble_header(
    alpha: bytes,
    secrets: Sequence[bytes],
    addresses: Sequence[bytes],
    delays_ns: Sequence[int],
    final_fields: bytes,
    version: int,
) -> bytes:
    """Nest the routing information of all hops, the last one innermost.

    Args:
        alpha: the first hop's 32-byte blinded secret.
        secrets: the expanded secrets of the hops.
        addresses: the padded address of each hop, 32 bytes; the first one is not encoded.
        delays_ns: the delay of each hop.
        final_fields: destination (32) || identifier (16) || padding.
        version: the version number that each hop will see.

    Returns:
        alpha (32) || MAC (16) || encrypted routing information (300).
    """
    version_bytes = version.to_bytes(3, "big")
    streams = [keystream(secret[STREAM_KEY]) for secret in secrets]
    filler = _filler(streams[:-1])
    # The filler is what the hops' decryptions will have put behind the last block: it is appended
    # as it is, because the last hop must see exactly these bytes for the MAC to hold.
    plain = bytes((FINAL_FLAG,)) + version_bytes + final_fields
    routing = xor(plain, streams[-1][: len(plain)]) + filler
    mac = hmac16(secrets[-1][MAC_KEY], routing)
    forward_prefix = bytes((FORWARD_FLAG,)) + version_bytes
    for index in range(len(secrets) - 2, -1, -1):
        plain = b"".join(
            (
                forward_prefix,
                addresses[index + 1],
                delays_ns[index].to_bytes(8, "big"),
                mac,
                routing[:_INNER_ROUTING_LENGTH],
            )
        )
        routing = xor(plain, streams[index][:ROUTING_LENGTH])
        mac = hmac16(secrets[index][MAC_KEY], routing)
    return alpha + mac + routing


def _filler(streams: Sequence[bytes]) -> bytes:
    filler = b""
    for stream in streams:
        filler += _HOP_BLOCK_ZEROS
        filler = xor(filler, stream[KEYSTREAM_LENGTH - len(filler) :])
    return filler


def _check_route(
    hop_count: int, delays_ns: Sequence[int], destination: bytes, version: int
) -> None:
    problem = None
    if not 1 <= hop_count <= MAX_HOPS:
        problem = f"a route has 1 to {MAX_HOPS} hops, not {hop_count}"
    elif len(delays_ns) != hop_count:
        problem = f"{hop_count} hops need as many delays, not {len(delays_ns)}"
    elif min(delays_ns) < 0 or max(delays_ns) > _MAX_DELAY_NS:
        problem = "a delay is between 0 and 2^64 - 1 nanoseconds"
    elif len(destination) != DESTINATION_LENGTH:
        problem = f"a destination has {DESTINATION_LENGTH} bytes, not {len(destination)}"
    elif version in LEGACY_VERSIONS or not 0 <= version <= 0xFFFF:
        problem = f"packets of version {version} cannot be built"
    if problem is not None:
        raise SphinxError(SphinxErrorKind.INVALID_ROUTE, problem)
