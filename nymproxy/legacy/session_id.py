"""Session ids: the UUID version by which a server tells our clients from the old ones.

An old client (nym-sdk 1.21.6 src/tcp_proxy/tcp_proxy_client.rs) makes version 4 and numbers its
messages from 1, though its server expects 0 and so holds everything back for seven seconds. Ours
makes version 8, which says: ids start at 0, and a Close sent to me is understood. Rust treats the
id as 16 opaque bytes.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes

SessionIdVersion: TypeAlias = Literal[4, 8]


def make_session_id(random_bytes: RandomBytes, version: SessionIdVersion = 8) -> uuid.UUID:
    """Draw a session id: 122 random bits, the version nibble and the RFC variant."""
    value = bytearray(random_bytes(16))
    value[6] = value[6] & 0x0F | version << 4
    value[8] = value[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(value))


def is_modern(session_id: uuid.UUID) -> bool:
    """Whether the session was opened by a client that numbers from 0 and understands Close."""
    return session_id.variant == uuid.RFC_4122 and session_id.version == 8
