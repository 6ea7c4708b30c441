"""The registration handshake, both roles, as state machines without I/O.

Protocol of nym-gateway-requests 1.21.6 src/registration/handshake: a station-to-station exchange.
C, G are the identities, X, Y the ephemeral X25519 keys, k the shared key::

    1. client   C (32) || X (32) || salt (16)
    2. gateway  Y (32) || sealed_k(sign_G(Y || X)) (80) || nonce (12)
    3. client   sealed_k(sign_C(X || Y)) (80) || nonce (12)
    4. gateway  one byte, 1 for success

Vectors: tests/vectors/gateway.json, section ``handshakes``.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from nymproxy._curve25519 import ed25519_decompresses
from nymproxy.errors import GatewayProtocolError, GatewayRefused
from nymproxy.mixnet.gateway.handshake_texts import (
    HandshakeError,
    HandshakePayload,
    HandshakeText,
)
from nymproxy.mixnet.gateway.keys import (
    NONCE_BYTES,
    SIGNATURE_BYTES,
    TAG_BYTES,
    ClientIdentityKey,
    SharedKey,
    signature_is_valid,
    x25519_public,
)
from nymproxy.mixnet.gateway.versions import CURRENT_PROTOCOL_VERSION, is_supported

if TYPE_CHECKING:
    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.randomness import RandomBytes

_SALT_BYTES = 16
_SEALED_SIGNATURE_BYTES = SIGNATURE_BYTES + TAG_BYTES
_MATERIAL_BYTES = _SEALED_SIGNATURE_BYTES + NONCE_BYTES


class HandshakeFault(enum.Enum):
    """What to tell the other side when a step fails (src/registration/handshake/error.rs)."""

    INVALID_SIGNATURE = "received invalid signature"
    MALFORMED_RESPONSE = "received response was malformed:"
    MALFORMED_REQUEST = "sent request was malformed"
    KEY_USAGE = "failed to either encrypt or decrypt provided message"
    TIMEOUT = "timed out waiting for a handshake message"


class _Handshake:
    """What both roles share: our ephemeral key, the derived key, and how a step fails."""

    def __init__(self, identity: ClientIdentityKey, random_bytes: RandomBytes) -> None:
        self._identity = identity
        self._random_bytes = random_bytes
        self._private_key = random_bytes(32)
        self._public_key = x25519_public(self._private_key)
        self._key: SharedKey | None = None
        self._finished = False
        self.protocol_version = CURRENT_PROTOCOL_VERSION
        """The negotiated version, final when the handshake is finished."""
        self.failure_reply: HandshakeError | None = None
        """Set when a step raised: the one text to send before giving up."""

    @property
    def is_finished(self) -> bool:
        """True after the last step of this role succeeded."""
        return self._finished

    @property
    def shared_key(self) -> SharedKey:
        """The agreed key.

        Raises:
            GatewayProtocolError: the handshake is not finished.
        """
        if self._key is None or not self._finished:
            raise GatewayProtocolError("the handshake is not finished")
        return self._key

    def abort_for_timeout(self) -> HandshakeError:
        """Return the text to send when the other side took too long."""
        self.failure_reply = HandshakeError(HandshakeFault.TIMEOUT.value)
        return self.failure_reply

    def _fail(self, fault: HandshakeFault | str, explanation: str) -> GatewayProtocolError:
        text = fault.value if isinstance(fault, HandshakeFault) else fault
        self.failure_reply = HandshakeError(text)
        return GatewayProtocolError(explanation)

    def _payload(self, message: HandshakeText, length: int, fault: HandshakeFault) -> bytes:
        if isinstance(message, HandshakeError):
            self.failure_reply = HandshakeError(f"error on the remote: {message.message}")
            raise GatewayRefused(
                f"the other side ended the registration: {printable(message.message)}"
            )
        if len(message.data) != length:
            raise self._fail(
                fault,
                f"a registration message has {len(message.data)} bytes, not {length}: "
                "the other side speaks another protocol",
            )
        return message.data

    def _derive(self, peer_public_key: bytes, salt: bytes, fault: HandshakeFault) -> SharedKey:
        try:
            return SharedKey.derive(self._private_key, peer_public_key, salt)
        except GatewayProtocolError as error:
            raise self._fail(fault, str(error)) from error

    def _seal_signature(self, key: SharedKey, peer_public_key: bytes) -> bytes:
        nonce = self._random_bytes(NONCE_BYTES)
        return key.seal(self._identity.sign(self._public_key + peer_public_key), nonce) + nonce

    def _check_signature(
        self, key: SharedKey, material: bytes, peer_identity: bytes, peer_public_key: bytes
    ) -> None:
        sealed, nonce = material[:_SEALED_SIGNATURE_BYTES], material[_SEALED_SIGNATURE_BYTES:]
        try:
            signature = key.open(sealed, nonce)
        except GatewayProtocolError as error:
            raise self._fail(
                HandshakeFault.KEY_USAGE, "the other side derived another key during registration"
            ) from error
        if not signature_is_valid(peer_identity, peer_public_key + self._public_key, signature):
            raise self._fail(
                HandshakeFault.INVALID_SIGNATURE,
                "the other side does not hold the identity it should have: "
                "check the gateway's identity and its address",
            )


class ClientHandshake(_Handshake):
    """The client's role.

    Args:
        identity: the client's own key.
        gateway: who must be at the other end; this is the only authentication of the gateway.
        protocol_version: what to propose.
        random_bytes: draws, in this order, the ephemeral key (32), the salt (16), a nonce (12).
    """

    def __init__(
        self,
        identity: ClientIdentityKey,
        gateway: NodeIdentity,
        *,
        protocol_version: int = CURRENT_PROTOCOL_VERSION,
        random_bytes: RandomBytes,
    ) -> None:
        super().__init__(identity, random_bytes)
        self.protocol_version = protocol_version
        self._gateway = gateway
        self._salt = random_bytes(_SALT_BYTES)

    def start(self) -> HandshakePayload:
        """Return message 1."""
        return HandshakePayload(
            self.protocol_version, self._identity.public_key + self._public_key + self._salt
        )

    def receive(self, message: HandshakeText) -> HandshakePayload | None:
        """Take message 2 and return message 3; take message 4 and return None: finished.

        Raises:
            GatewayRefused: the gateway ended the handshake.
            GatewayProtocolError: the message is malformed, of an unsupported version, or not made
                by the expected gateway. Send ``failure_reply``, then give up.
        """
        if self._key is None:
            return self._receive_material(message)
        status = self._payload(message, 1, HandshakeFault.MALFORMED_RESPONSE)
        if status[0] != 1:
            self.failure_reply = HandshakeError(HandshakeFault.MALFORMED_REQUEST.value)
            raise GatewayRefused("the gateway did not complete the registration: try again later")
        self._finished = True
        return None

    def _receive_material(self, message: HandshakeText) -> HandshakePayload:
        data = self._payload(message, 32 + _MATERIAL_BYTES, HandshakeFault.MALFORMED_RESPONSE)
        assert isinstance(message, HandshakePayload)
        version = message.protocol_version
        if not is_supported(version):
            # The Rust client adopts lower versions; nothing authenticates the version, so an
            # attacker on the path could choose it.
            raise self._fail(
                "the gateway requests protocol version that's not supported by this client. it "
                f"wants to use v{version} whilst we only understand up to "
                f"v{CURRENT_PROTOCOL_VERSION}",
                f"the gateway wants protocol version {version}, which we do not speak: "
                "choose another gateway",
            )
        self.protocol_version = version
        peer_public_key = data[:32]
        key = self._derive(peer_public_key, self._salt, HandshakeFault.MALFORMED_RESPONSE)
        self._check_signature(key, data[32:], self._gateway.key, peer_public_key)
        reply = self._seal_signature(key, peer_public_key)
        self._key = key
        return HandshakePayload(version, reply)


class GatewayHandshake(_Handshake):
    """The gateway's role.

    Args:
        identity: the gateway's own key.
        protocol_version: the highest version this gateway speaks.
        random_bytes: draws, in this order, the ephemeral key (32) and a nonce (12).
    """

    def __init__(
        self,
        identity: ClientIdentityKey,
        *,
        protocol_version: int = CURRENT_PROTOCOL_VERSION,
        random_bytes: RandomBytes,
    ) -> None:
        super().__init__(identity, random_bytes)
        self.protocol_version = protocol_version
        self.client_identity: bytes | None = None
        """The client's Ed25519 public key, claimed by message 1 and proven by message 3."""
        self._client_public_key = b""

    def receive(self, message: HandshakeText) -> HandshakePayload:
        """Take message 1 and return message 2; take message 3 and return message 4.

        Raises:
            GatewayRefused: the client ended the handshake.
            GatewayProtocolError: the message is malformed, or not made by the client it names.
                Send ``failure_reply``, then give up.
        """
        if self._key is None:
            return self._receive_initialisation(message)
        material = self._payload(message, _MATERIAL_BYTES, HandshakeFault.MALFORMED_REQUEST)
        assert self.client_identity is not None
        self._check_signature(self._key, material, self.client_identity, self._client_public_key)
        self._finished = True
        return HandshakePayload(self.protocol_version, b"\x01")

    def _receive_initialisation(self, message: HandshakeText) -> HandshakePayload:
        data = self._payload(message, 64 + _SALT_BYTES, HandshakeFault.MALFORMED_REQUEST)
        assert isinstance(message, HandshakePayload)
        if not ed25519_decompresses(data[:32]):
            raise self._fail(
                HandshakeFault.MALFORMED_REQUEST, "the client's identity is no Ed25519 public key"
            )
        self.client_identity, self._client_public_key = data[:32], data[32:64]
        self.protocol_version = min(message.protocol_version, self.protocol_version)
        key = self._derive(self._client_public_key, data[64:], HandshakeFault.MALFORMED_REQUEST)
        reply = self._public_key + self._seal_signature(key, self._client_public_key)
        self._key = key
        return HandshakePayload(self.protocol_version, reply)


def printable(text: str, limit: int = 300) -> str:
    """Make a peer's text fit for a message or a log line: one line, bounded, no control codes."""
    cleaned = "".join(character if character.isprintable() else " " for character in text[:limit])
    return cleaned + ("…" if len(text) > limit else "")
