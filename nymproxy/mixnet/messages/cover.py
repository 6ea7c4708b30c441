"""Cover traffic: packets to ourselves that nobody can tell from others (nym-sphinx-cover 1.21.6,
src/lib.rs).

Vectors: tests/vectors/pipeline.json, ``cover``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blake3 import blake3
from nacl.bindings import crypto_scalarmult_base

from nymproxy.mixnet.messages._layout import KEY_MATERIAL_LENGTH, fragment_length
from nymproxy.mixnet.messages.payload import FragmentKey, apply_payload_key, seal_fragment

if TYPE_CHECKING:
    from nymproxy.mixnet.messages.acks import SurbAck
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx import PacketSize

COVER_MARKER = b"The cake is a lie!"
"""How the decrypted content of a cover packet starts. No fragment does: its top bit is set."""

_KEY_CONTEXT: Final = "nymproxy 2026-12-01 keys of covers to ourselves"

_MARKER_AND_PADDING = COVER_MARKER + b"\x01"
_START_OF_CONTENT = slice(KEY_MATERIAL_LENGTH, KEY_MATERIAL_LENGTH + len(COVER_MARKER))


def build_cover_plaintext(size: PacketSize, surb_ack: SurbAck, key: FragmentKey) -> bytes:
    """Return the Sphinx plaintext of a cover packet.

    Args:
        size: the size of the packet that will carry it; not ``ACK``.
        surb_ack: an ack of :data:`~nymproxy.mixnet.messages.COVER_FRAGMENT_ID`.
        key: fresh, for the recipient: ourselves, mostly.
    """
    content = _MARKER_AND_PADDING.ljust(fragment_length(size), b"\0")
    return seal_fragment(content, surb_ack, key)


def is_cover(content: bytes) -> bool:
    """Tell whether the decrypted content of a packet is that of a cover packet."""
    return content.startswith(COVER_MARKER)


class CoverKeys:
    """The keys of covers to ourselves, which nobody else opens: of a public key that is drawn as
    that of any packet, a hash under a key of ours takes the place of the key exchange. So a cover
    that comes home is known by its first bytes.

    Args:
        encryption_private_key: the X25519 key of our address, 32 bytes.
    """

    __slots__ = ("_key",)

    def __init__(self, encryption_private_key: bytes) -> None:
        self._key = blake3(encryption_private_key, derive_key_context=_KEY_CONTEXT).digest()

    def draw(self, random_bytes: RandomBytes) -> FragmentKey:
        """Draw the key of a cover."""
        public = crypto_scalarmult_base(random_bytes(32))
        return FragmentKey(public, self._secret(public))

    def open(self, pushed: bytes) -> bytes | None:
        """Return how the content of a pushed packet starts, if it is such a cover."""
        secret = self._secret(pushed[:KEY_MATERIAL_LENGTH])
        content = apply_payload_key(secret, pushed[_START_OF_CONTENT])
        return content if is_cover(content) else None

    def _secret(self, public: bytes) -> bytes:
        return blake3(public, key=self._key).digest(16)
