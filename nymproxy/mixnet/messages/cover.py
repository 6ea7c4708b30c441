"""Cover traffic: packets to ourselves that nobody can tell from others (nym-sphinx-cover 1.21.6,
src/lib.rs).

Vectors: tests/vectors/pipeline.json, ``cover``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.mixnet.messages._layout import fragment_length
from nymproxy.mixnet.messages.payload import seal_fragment

if TYPE_CHECKING:
    from nymproxy.mixnet.messages.acks import SurbAck
    from nymproxy.mixnet.messages.payload import FragmentKey
    from nymproxy.mixnet.sphinx import PacketSize

COVER_MARKER = b"The cake is a lie!"
"""How the decrypted content of a cover packet starts. No fragment does: its top bit is set."""

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
