"""What a client keeps, and the interface of the places where it can be kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from nacl.bindings import crypto_scalarmult_base, crypto_sign_seed_keypair

from nymproxy.errors import StorageError

if TYPE_CHECKING:
    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.randomness import RandomBytes

ACK_KEY_BYTES = 16
SHARED_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """The long-term keys of a client.

    Attributes:
        identity_seed: Ed25519 seed, 32 bytes.
        encryption_private: X25519 private key, 32 bytes, as generated (not clamped).
        ack_key: AES-128 key that hides fragment ids in our own acks, 16 bytes.
        identity_public: Ed25519 public key, derived.
        encryption_public: X25519 public key, derived.

    Raises:
        StorageError: a key has another length.
    """

    identity_seed: bytes = field(repr=False)
    encryption_private: bytes = field(repr=False)
    ack_key: bytes = field(repr=False)
    identity_public: bytes = field(init=False)
    encryption_public: bytes = field(init=False)

    def __post_init__(self) -> None:
        lengths = (len(self.identity_seed), len(self.encryption_private), len(self.ack_key))
        if lengths != (32, 32, ACK_KEY_BYTES):
            raise StorageError(f"client keys have 32, 32 and 16 bytes, not {lengths}")
        public, _ = crypto_sign_seed_keypair(self.identity_seed)
        object.__setattr__(self, "identity_public", public)
        object.__setattr__(
            self, "encryption_public", crypto_scalarmult_base(self.encryption_private)
        )

    @classmethod
    def generate(cls, random_bytes: RandomBytes) -> ClientKeys:
        """Draw a new set."""
        return cls(random_bytes(32), random_bytes(32), random_bytes(ACK_KEY_BYTES))


@dataclass(frozen=True, slots=True)
class GatewayRegistration:
    """A client's registration with one gateway.

    Attributes:
        identity: the gateway.
        shared_key: the key of the registration, 32 bytes; None when only an older client's
            unusable key is there, so that the client has to register again with this gateway.
        listener: websocket URL.
        fallback: second websocket URL.
        expiry_ns: when the two URLs should be looked up again (Unix nanoseconds). Neither keys
            nor registration expire with them.
        registered_ns: when the client first registered (Unix nanoseconds); 0 means now.

    Raises:
        StorageError: the key has another length.
    """

    identity: NodeIdentity
    shared_key: bytes | None = field(repr=False)
    listener: str
    fallback: str | None
    expiry_ns: int
    registered_ns: int = 0

    def __post_init__(self) -> None:
        if self.shared_key is not None and len(self.shared_key) != SHARED_KEY_BYTES:
            raise StorageError(f"a shared key has 32 bytes, not {len(self.shared_key)}")


@dataclass(frozen=True, slots=True)
class StoredClient:
    """All that was stored.

    Attributes:
        keys: the client's keys.
        registration: the active gateway, if there is one yet.
        last_authentication: Unix second of the latest authentication, 0 when unknown.
    """

    keys: ClientKeys
    registration: GatewayRegistration | None
    last_authentication: int


class ClientStorage(Protocol):
    """A place that keeps a client. Used by one client at a time.

    Every method but ``close`` raises StorageError (and its subclasses) when it cannot do it.
    """

    async def load(self) -> StoredClient | None:
        """Return what is stored; None when the place is empty."""
        ...

    async def save_keys(self, keys: ClientKeys) -> None:
        """Keep new keys. Never replaces other ones."""
        ...

    async def save_registration(self, registration: GatewayRegistration) -> None:
        """Keep a registration (or its new listeners) and make it the active one."""
        ...

    async def save_last_authentication(self, unix_second: int) -> None:
        """Keep the second of the latest authentication."""
        ...

    async def close(self) -> None:
        """Let go of the place. Idempotent."""
        ...
