"""Whole packets: a header and a payload of one of the network's sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx.payload import seal_payload

if TYPE_CHECKING:
    from nymproxy.mixnet.sphinx.constants import PacketSize
    from nymproxy.mixnet.sphinx.header import HeaderMaterial, PreparedHeader


def build_packet(
    material: HeaderMaterial | PreparedHeader, plaintext: bytes, size: PacketSize
) -> bytes:
    """Put a payload behind a header. The material must not be used again.

    Args:
        material: the header with its payload keys or their seeds.
        plaintext: exactly ``size.plaintext_length`` bytes; gateways refuse anything else.
        size: the packet's size class.

    Returns:
        ``size.packet_length`` bytes.

    Raises:
        SphinxError: the plaintext does not fill the packet exactly (``INVALID_PAYLOAD``).
    """
    check_plaintext(plaintext, size)
    return material.header + seal_payload(plaintext, size.payload_length, material.payload_keys())


def check_plaintext(plaintext: bytes, size: PacketSize) -> None:
    """Refuse a plaintext that does not fill a packet of this size exactly.

    Raises:
        SphinxError: it does not (``INVALID_PAYLOAD``).
    """
    if len(plaintext) != size.plaintext_length:
        raise SphinxError(
            SphinxErrorKind.INVALID_PAYLOAD,
            f"a packet of this size takes {size.plaintext_length} bytes, not {len(plaintext)}",
        )
