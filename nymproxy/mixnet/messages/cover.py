"""Cover traffic: packets to ourselves that nobody can tell from others (nym-sphinx-cover 1.21.6,
src/lib.rs).

Vectors: tests/vectors/pipeline.json, ``cover``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nymproxy.mixnet.messages._layout import fragment_length
from nymproxy.mixnet.messages.payload import FragmentKey, seal_fragment

if TYPE_CHECKING:
    from nymproxy.mixnet.messages.acks import SurbAck
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx import PacketSize

COVER_MARKER = b"The cake is a lie!"
"""How the decrypted content of a cover packet starts. No fragment does: its top bit is set."""

KEYS_KEPT: Final = 256
"""Of covers on their way: those of five seconds of the usual schedule."""

_MARKER_AND_PADDING = COVER_MARKER + b"\x01"


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
    """The keys of our own covers on their way: one that comes home costs no key exchange.

    The bound: the latest :data:`KEYS_KEPT`. An older one is opened as any other packet is.

    Args:
        encryption_private_key: the X25519 key of our address, 32 bytes.
    """

    __slots__ = ("_private_key", "_secrets")

    def __init__(self, encryption_private_key: bytes) -> None:
        self._private_key = encryption_private_key
        self._secrets: dict[bytes, bytes] = {}

    def draw(self, random_bytes: RandomBytes) -> FragmentKey:
        """Draw the key of a cover; :meth:`keep` it when the cover leaves."""
        return FragmentKey.draw_to_ourselves(self._private_key, random_bytes)

    def keep(self, key: FragmentKey) -> None:
        """Keep the key of a cover that is about to leave."""
        if len(self._secrets) >= KEYS_KEPT:
            del self._secrets[next(iter(self._secrets))]
        self._secrets[key.public] = key.secret

    def take(self, public: bytes) -> bytes | None:
        """Return the secret key that belongs to a public one, and forget it."""
        return self._secrets.pop(public, None)
