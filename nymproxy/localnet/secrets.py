"""All private keys of a localnet, derived from one secret, so that every process agrees on them.

A real node draws its keys; here one 32-byte secret (random, or made from a seed) yields the
identities and the Sphinx keys of every rotation. Keeping the secret keeps the network.
"""

from __future__ import annotations

from hashlib import blake2b

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.gateway import ClientIdentityKey

SECRET_BYTES = 32


class NetworkSecret:
    """Derives the keys of named nodes. Never shown: its text form is redacted.

    Raises:
        ConfigurationError: the secret has not 32 bytes.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ConfigurationError(f"a network secret has {SECRET_BYTES} bytes")
        self._secret = secret

    @classmethod
    def from_seed(cls, seed: int) -> NetworkSecret:
        """Return the same secret for the same seed: for tests only, anybody can do this."""
        return cls(blake2b(f"nymproxy localnet {seed}".encode(), digest_size=32).digest())

    def to_bytes(self) -> bytes:
        """Return the 32 bytes, for storage."""
        return self._secret

    def identity_key(self, node: str) -> ClientIdentityKey:
        """Return the Ed25519 key of a node."""
        return ClientIdentityKey(self._derive("identity", node))

    def sphinx_key(self, node: str, rotation_id: int) -> bytes:
        """Return the X25519 private key of a node in one key rotation, 32 bytes."""
        return self._derive("sphinx", f"{node}/{rotation_id}")

    def _derive(self, purpose: str, subject: str) -> bytes:
        message = f"{purpose}/{subject}".encode()
        return blake2b(message, key=self._secret, digest_size=32).digest()

    def __repr__(self) -> str:
        return "NetworkSecret(…)"
