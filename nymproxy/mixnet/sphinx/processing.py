"""What a node does with a packet: check it, take one layer off, and see where it goes.

Processing of sphinx-packet 0.6.0 (src/packet/mod.rs, src/header/mod.rs); vectors:
tests/vectors/sphinx.json, ``packets`` (hops) and ``processing_results``. Every version number is
processed, as nodes do: 1 and 257 with unclamped blinding, 258 with explicit payload keys, all
others like 259.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx.addressing import NodeAddress
from nymproxy.mixnet.sphinx.constants import (
    HEADER_LENGTH,
    HOP_BLOCK_LENGTH,
    KEY_LENGTH,
    LEGACY_VERSIONS,
    MAC_LENGTH,
    MIN_PACKET_LENGTH,
    VERSION_EXPLICIT_KEYS,
)
from nymproxy.mixnet.sphinx.header import FINAL_FLAG, FORWARD_FLAG
from nymproxy.mixnet.sphinx.keys import (
    BLINDING_FACTOR,
    MAC_KEY,
    PAYLOAD_KEY,
    PAYLOAD_KEY_SEED,
    REPLAY_TAG,
    STREAM_KEY,
    derive_payload_key,
    expand_secret,
    multiply_unclamped,
)
from nymproxy.mixnet.sphinx.payload import lioness_decrypt
from nymproxy.mixnet.sphinx.primitives import aes_ctr, hmac16, x25519

_ALPHA = slice(0, KEY_LENGTH)
_MAC = slice(KEY_LENGTH, KEY_LENGTH + MAC_LENGTH)
_ROUTING = slice(KEY_LENGTH + MAC_LENGTH, HEADER_LENGTH)
_ROUTING_EXTENSION = bytes(HOP_BLOCK_LENGTH)


@dataclass(frozen=True, slots=True, repr=False)
class ForwardHop:
    """A packet to pass on.

    Attributes:
        next_hop: the padded address field, 32 bytes.
        delay_ns: how long to keep the packet, as the sender chose it (nodes cap it).
        packet: what to send on, as long as what came in.
        version: the sender's Sphinx version number.
    """

    next_hop: bytes
    delay_ns: int
    packet: bytes
    version: int

    @property
    def address(self) -> NodeAddress:
        """Where to send the packet.

        Raises:
            SphinxError: the field holds no address (``INVALID_ROUTING``).
        """
        return NodeAddress.unpack(self.next_hop)[0]


@dataclass(frozen=True, slots=True, repr=False)
class FinalHop:
    """A packet at the end of its route.

    Attributes:
        destination: 32 bytes, the recipient's Ed25519 identity.
        identifier: 16 bytes, unused on this network.
        payload: all layers are off; :func:`~nymproxy.mixnet.sphinx.recover_plaintext` unpads it.
        version: the sender's Sphinx version number.
    """

    destination: bytes
    identifier: bytes
    payload: bytes
    version: int


@dataclass(frozen=True, slots=True, repr=False)
class PartialUnwrap:
    """A packet whose header belongs to the node's key; nothing was decrypted yet.

    A node looks the replay tag up, and goes on with :meth:`finish` only if it is new.
    """

    _packet: bytes
    _secret: bytes

    @property
    def replay_tag(self) -> bytes:
        """32 bytes that are the same for, and only for, packets with the same header secret."""
        return self._secret[REPLAY_TAG]

    def finish(self) -> ForwardHop | FinalHop:
        """Take the node's layer off.

        Raises:
            SphinxError: neither forward nor final hop (``INVALID_ROUTING``), or a payload of 32
                bytes or less (``INVALID_PAYLOAD``).
        """
        packet, secret = self._packet, self._secret
        plain = aes_ctr(secret[STREAM_KEY], packet[_ROUTING] + _ROUTING_EXTENSION)
        flag = plain[0]
        if flag not in (FORWARD_FLAG, FINAL_FLAG):
            raise SphinxError(SphinxErrorKind.INVALID_ROUTING, f"no hop has the flag {flag}")
        version = int.from_bytes(plain[2:4], "big")  # release builds ignore the byte before it
        payload = lioness_decrypt(_payload_key(secret, version), packet[HEADER_LENGTH:])
        if flag == FINAL_FLAG:
            return FinalHop(plain[4:36], plain[36:52], payload, version)
        blind = multiply_unclamped if version in LEGACY_VERSIONS else x25519
        alpha = blind(secret[BLINDING_FACTOR], packet[_ALPHA])
        # The MAC and the routing information of the next hop follow each other in both layouts.
        next_packet = b"".join((alpha, plain[44:], payload))
        return ForwardHop(plain[4:36], int.from_bytes(plain[36:44], "big"), next_packet, version)


def partially_unwrap(packet: bytes, private_key: bytes) -> PartialUnwrap:
    """Derive the secret of a packet and check its header.

    Args:
        packet: header and payload.
        private_key: the node's X25519 Sphinx key, 32 bytes.

    Raises:
        SphinxError: shorter than any packet (``INVALID_PACKET``), or a header that is damaged or
            made for another key (``INVALID_HEADER``).
    """
    if len(packet) < MIN_PACKET_LENGTH:
        raise SphinxError(
            SphinxErrorKind.INVALID_PACKET,
            f"a packet has {MIN_PACKET_LENGTH} bytes or more, not {len(packet)}",
        )
    secret = expand_secret(x25519(private_key, packet[_ALPHA]))
    if not hmac.compare_digest(hmac16(secret[MAC_KEY], packet[_ROUTING]), packet[_MAC]):
        raise SphinxError(
            SphinxErrorKind.INVALID_HEADER, "the header is damaged, or made for another key"
        )
    return PartialUnwrap(packet, secret)


def _payload_key(secret: bytes, version: int) -> bytes:
    if version == VERSION_EXPLICIT_KEYS or version in LEGACY_VERSIONS:
        return secret[PAYLOAD_KEY]
    return derive_payload_key(secret[PAYLOAD_KEY_SEED])
