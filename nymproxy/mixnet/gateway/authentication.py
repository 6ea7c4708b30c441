"""Authentication v2: building the request, and the gateway's checks of it.

Rules of nym-gateway-requests 1.21.6 src/types/text_request/authenticate.rs; vectors:
tests/vectors/gateway.json, sections ``authenticate_v2*``.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from nymproxy.mixnet.gateway.keys import NONCE_BYTES, signature_is_valid
from nymproxy.mixnet.gateway.requests import AuthenticateV2

if TYPE_CHECKING:
    from nymproxy.mixnet.gateway.keys import ClientIdentityKey, SharedKey

MAX_TIMESTAMP_SKEW_SECONDS = 120
"""How far the clocks of client and gateway may differ, in either direction."""


def build_authentication(
    identity: ClientIdentityKey,
    key: SharedKey,
    *,
    protocol_version: int,
    unix_timestamp: int,
    nonce: bytes,
) -> AuthenticateV2:
    """Make the request.

    Args:
        identity: signs the request.
        key: seals the identity; the cipher is deterministic, so the gateway can compare.
        protocol_version: the version to speak.
        unix_timestamp: seconds; greater than that of every earlier successful request.
        nonce: 12 fresh random bytes.
    """
    unsigned = AuthenticateV2(
        protocol_version,
        identity.public_key,
        key.seal(identity.public_key, nonce),
        nonce,
        unix_timestamp,
        b"",
    )
    return AuthenticateV2(
        unsigned.protocol_version,
        unsigned.client_identity,
        unsigned.address_ciphertext,
        unsigned.nonce,
        unsigned.unix_timestamp,
        identity.sign(unsigned.signed_bytes()),
    )


def timestamp_is_acceptable(request: AuthenticateV2, unix_time: float) -> bool:
    """Tell whether the request was made within two minutes of the gateway's time."""
    return abs(request.unix_timestamp - unix_time) <= MAX_TIMESTAMP_SKEW_SECONDS


def request_signature_is_valid(request: AuthenticateV2) -> bool:
    """Tell whether the holder of the named identity made the request."""
    return signature_is_valid(request.client_identity, request.signed_bytes(), request.signature)


def address_ciphertext_is_valid(request: AuthenticateV2, key: SharedKey) -> bool:
    """Tell whether the sender holds the shared key (compared in constant time)."""
    if len(request.nonce) != NONCE_BYTES:
        return False
    expected = key.seal(request.client_identity, request.nonce)
    return hmac.compare_digest(expected, request.address_ciphertext)
