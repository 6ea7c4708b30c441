"""Lengths shared by the parts of a Sphinx plaintext (nym-sphinx 1.21.6, src/message.rs).

A data packet's plaintext is filled exactly: ``ack block (405) || key material (32) || fragment``.
The recipient's gateway cuts the ack block off and pushes the rest to the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.errors import UsageError

if TYPE_CHECKING:
    from nymproxy.mixnet.sphinx import PacketSize

ACK_BLOCK_ADDRESS_LENGTH = 19
ACK_PACKET_LENGTH = 386
ACK_BLOCK_LENGTH = ACK_BLOCK_ADDRESS_LENGTH + ACK_PACKET_LENGTH
ACK_PAYLOAD_LENGTH = 21
KEY_MATERIAL_LENGTH = 32
REPLY_KEY_LENGTH = 16


def fragment_length(size: PacketSize) -> int:
    """Return the bytes of one whole fragment, header included, in packets of ``size``.

    Regular packets: 1611.

    Raises:
        UsageError: packets of this size carry acks only.
    """
    length = size.plaintext_length - ACK_BLOCK_LENGTH - KEY_MATERIAL_LENGTH
    if length <= 0:
        raise UsageError(f"packets of size {size.name} carry no fragments; choose a data size")
    return length
