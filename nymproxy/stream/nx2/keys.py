"""NX2's keys and MACs: BLAKE3 in its key-derivation and keyed modes (docs/wire.md).

What goes in comes from random values that only the two ends of a stream know: Nym's end-to-end
encryption hides them from gateways, and a changed value changes the key that its own MAC needs.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from blake3 import blake3

from nymproxy.stream.nx2.frames import VERSION

MAC_LENGTH = 16


def _derive(purpose: str, material: bytes) -> bytes:
    return blake3(material, derive_key_context=f"nymproxy nx2 {purpose}").digest()


@dataclass(frozen=True, slots=True)
class ChannelKeys:
    """The keys of one stream, once both random values are known: 32 bytes each."""

    dialer: bytes = field(repr=False)
    """Under which the dialer sends ("d2a")."""
    acceptor: bytes = field(repr=False)
    """Under which the acceptor sends ("a2d")."""
    resume: bytes = field(repr=False)
    """Of RESUME."""

    @classmethod
    def derive(cls, dialer_random: bytes, acceptor_random: bytes, stream_id: int) -> ChannelKeys:
        """Derive them from both random values, 32 bytes each, and the 64-bit id."""
        material = dialer_random + acceptor_random + _id_and_version(stream_id)
        return cls(_derive("d2a", material), _derive("a2d", material), _derive("resume", material))


def early_key(dialer_random: bytes, stream_id: int) -> bytes:
    """Return the key under which a dialer sends before the ACCEPT has come."""
    return _derive("early", dialer_random + _id_and_version(stream_id))


def offer_key(dialer_random: bytes) -> bytes:
    """Return the key of an OFFER's MAC."""
    return _derive("offer", dialer_random)


def accept_key(dialer_random: bytes, acceptor_random: bytes) -> bytes:
    """Return the key of an ACCEPT's MAC."""
    return _derive("accept", dialer_random + acceptor_random)


def ask_key(nonce: bytes) -> bytes:
    """Return the key of an ASK's MAC."""
    return _derive("ask", nonce)


def alive_key(nonce: bytes) -> bytes:
    """Return the key of the MAC of the ALIVE that answers an ASK."""
    return _derive("alive", nonce)


def add_mac(key: bytes, context: bytes, frame: bytes) -> bytes:
    """Return a frame with its MAC at the end; ``context`` is covered, and not sent."""
    return frame + _mac(key, context, frame)


def has_valid_mac(key: bytes, context: bytes, frame: bytes) -> bool:
    """Tell whether a frame ends with its MAC."""
    body, mac = frame[:-MAC_LENGTH], frame[-MAC_LENGTH:]
    return hmac.compare_digest(_mac(key, context, body), mac)


def _mac(key: bytes, context: bytes, frame: bytes) -> bytes:
    return blake3(context + frame, key=key).digest(MAC_LENGTH)


def _id_and_version(stream_id: int) -> bytes:
    return stream_id.to_bytes(8, "big") + bytes([VERSION])
