"""Keys of the gateway connection: the client's identity, and the key it shares with its gateway.

Formats of nym-crypto 1.21.6 (src/asymmetric/ed25519, src/hkdf.rs) and nym-gateway-requests 1.21.6
(src/shared_key). Vectors: tests/vectors/gateway.json.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from nacl.bindings import (
    crypto_scalarmult,
    crypto_scalarmult_base,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import CryptoError

from nymproxy.errors import ConfigurationError, GatewayProtocolError

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes

NONCE_BYTES = 12
TAG_BYTES = 16
SHARED_KEY_BYTES = 32
SIGNATURE_BYTES = 64


class ClientIdentityKey:
    """An Ed25519 private key: a client's identity (a test gateway's identity has the same form).

    Args:
        seed: the 32 bytes of RFC 8032.

    Raises:
        ConfigurationError: the seed has another length.
    """

    __slots__ = ("_secret_key", "public_key")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ConfigurationError(f"an Ed25519 seed has 32 bytes, not {len(seed)}")
        self.public_key: bytes
        self.public_key, self._secret_key = crypto_sign_seed_keypair(seed)
        """The 32 bytes that are also the client's address at its gateway."""

    @classmethod
    def generate(cls, random_bytes: RandomBytes) -> ClientIdentityKey:
        """Draw a new identity."""
        return cls(random_bytes(32))

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature (no prehash, no context)."""
        return crypto_sign(message, self._secret_key)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return "ClientIdentityKey(…)"


def signature_is_valid(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify an Ed25519 signature; keys and signatures of a wrong length are just not valid."""
    # The binding hands the bytes to libsodium without looking at their length.
    if len(public_key) != 32 or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except CryptoError:
        return False
    return True


def x25519_public(private_key: bytes) -> bytes:
    """Return the public key (32 bytes) of an X25519 private key.

    Raises:
        ConfigurationError: the private key has not 32 bytes.
    """
    if len(private_key) != 32:
        raise ConfigurationError(f"an X25519 private key has 32 bytes, not {len(private_key)}")
    return crypto_scalarmult_base(private_key)


class SharedKey:
    """The 32-byte AES-256-GCM-SIV key that a client and its gateway share.

    Sealed data is ciphertext || tag (16 bytes); there is never any associated data.

    Raises:
        GatewayProtocolError: the key has another length.
    """

    __slots__ = ("_cipher", "_key")

    def __init__(self, key: bytes) -> None:
        if len(key) != SHARED_KEY_BYTES:
            raise GatewayProtocolError(
                f"a shared key has {SHARED_KEY_BYTES} bytes, not {len(key)}: register again"
            )
        self._key = bytes(key)
        self._cipher = AESGCMSIV(self._key)

    @classmethod
    def derive(cls, private_key: bytes, peer_public_key: bytes, salt: bytes) -> SharedKey:
        """Agree on the key of a registration: HKDF over HMAC-BLAKE3 of the X25519 result.

        BLAKE3 is used as a plain hash with a block of 64 bytes, not in its keyed mode. One block
        of output is enough, so the expand step is a single HMAC.

        Raises:
            GatewayProtocolError: the peer's key is of low order, or no key at all.
        """
        # The binding hands the bytes to libsodium without looking at their length.
        if len(private_key) != 32 or len(peer_public_key) != 32:
            raise GatewayProtocolError("the peer's ephemeral key is unusable: it has not 32 bytes")
        try:
            shared_secret = crypto_scalarmult(private_key, peer_public_key)
        except (CryptoError, ValueError) as error:
            raise GatewayProtocolError("the peer's ephemeral key is unusable") from error
        extracted = hmac.new(salt, shared_secret, blake3).digest()  # type: ignore[arg-type]
        return cls(hmac.new(extracted, b"\x01", blake3).digest())  # type: ignore[arg-type]

    def to_bytes(self) -> bytes:
        """Return the 32 bytes, for storage."""
        return self._key

    def seal(self, plaintext: bytes, nonce: bytes) -> bytes:
        """Encrypt; the nonce has 12 bytes."""
        return self._cipher.encrypt(nonce, plaintext, None)

    def open(self, sealed: bytes, nonce: bytes) -> bytes:
        """Decrypt and authenticate.

        Raises:
            GatewayProtocolError: the nonce has not 12 bytes, or the tag does not match.
        """
        if len(nonce) != NONCE_BYTES:
            raise GatewayProtocolError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
        try:
            return self._cipher.decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError) as error:
            raise GatewayProtocolError("sealed data does not open with the shared key") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedKey) and hmac.compare_digest(self._key, other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return "SharedKey(…)"
