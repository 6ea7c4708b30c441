"""Texts that a client sends to its gateway.

Format of nym-gateway-requests 1.21.6 src/types/text_request/mod.rs; vectors:
tests/vectors/gateway.json, sections ``text_requests`` and ``text_request_parsing``. ``type`` tags
are camelCase and fields snake_case, except inside ``authenticateV2``. Byte strings are arrays of
integers of any length.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from nymproxy._curve25519 import ed25519_decompresses
from nymproxy._strict_json import U8, U64, Fields, write_object
from nymproxy.errors import GatewayProtocolError
from nymproxy.mixnet.gateway._json import READER
from nymproxy.mixnet.gateway.keys import SIGNATURE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class SupportedProtocolRequest:
    """Asks which version the gateway speaks; allowed at any time."""

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object({"type": "supportedProtocol"})


@dataclass(frozen=True, slots=True)
class RegisterHandshakeInit:
    """The first handshake message, as the gateway's request parser sees it.

    A client sends it as :class:`~nymproxy.mixnet.gateway.handshake_texts.HandshakePayload`; the
    parser here accepts both type names.
    """

    protocol_version: int
    data: bytes

    def encode(self) -> str:
        """Return the JSON text under the request's own type name."""
        return write_object(
            {
                "type": "registerHandshakeInitRequest",
                "protocol_version": self.protocol_version,
                "data": list(self.data),
            }
        )


@dataclass(frozen=True, slots=True)
class AuthenticateV2:
    """Proof that the client holds its identity and the shared key.

    Attributes:
        protocol_version: the version the client wants to speak.
        client_identity: Ed25519 public key, 32 bytes.
        address_ciphertext: the identity, sealed with the shared key (48 bytes when well made).
        nonce: 12 bytes when well made.
        unix_timestamp: seconds.
        signature: Ed25519 over :meth:`signed_bytes`, 64 bytes.
    """

    protocol_version: int
    client_identity: bytes
    address_ciphertext: bytes
    nonce: bytes
    unix_timestamp: int
    signature: bytes

    def signed_bytes(self) -> bytes:
        """Return version (1) || identity (32) || ciphertext (48) || nonce (12) || time (8)."""
        return b"".join(
            (
                bytes((self.protocol_version,)),
                self.client_identity,
                self.address_ciphertext,
                self.nonce,
                self.unix_timestamp.to_bytes(8, "big"),
            )
        )

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "authenticateV2",
                "protocolVersion": self.protocol_version,
                "clientIdentity": list(self.client_identity),
                "addressCiphertext": base64.b64encode(self.address_ciphertext).decode(),
                "nonce": base64.b64encode(self.nonce).decode(),
                "requestUnixTimestamp": self.unix_timestamp,
                "requestSignature": list(self.signature),
            }
        )


@dataclass(frozen=True, slots=True)
class ClaimFreeTestnetBandwidth:
    """Asks for an allowance without paying."""

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object({"type": "claimFreeTestnetBandwidth"})


@dataclass(frozen=True, slots=True)
class EcashCredential:
    """A paid ticket, sealed with the shared key. The wire calls the nonce ``iv``."""

    sealed_credential: bytes
    nonce: bytes

    def encode(self) -> str:
        """Return the JSON text."""
        return _sealed_credential("ecashCredential", self.sealed_credential, self.nonce)


@dataclass(frozen=True, slots=True)
class UpgradeModeJwt:
    """A public token that says the network is being upgraded."""

    token: str

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object({"type": "upgradeModeJWT", "token": self.token})


@dataclass(frozen=True, slots=True)
class EncryptedRequest:
    """A request sealed with the shared key (:mod:`nymproxy.mixnet.gateway.encrypted_texts`)."""

    ciphertext: bytes
    nonce: bytes

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "encryptedRequest",
                "ciphertext": list(self.ciphertext),
                "nonce": list(self.nonce),
            }
        )


@dataclass(frozen=True, slots=True)
class LegacyAuthenticate:
    """Authentication v1. Gateways refuse it; it is read only to say so."""

    protocol_version: int | None
    address: str
    encrypted_address: str
    nonce: str

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "authenticate",
                "protocol_version": self.protocol_version,
                "address": self.address,
                "enc_address": self.encrypted_address,
                "iv": self.nonce,
            }
        )


@dataclass(frozen=True, slots=True)
class LegacyBandwidthCredential:
    """A credential of an older scheme (``version`` 1 or 2). Gateways refuse it."""

    version: int
    sealed_credential: bytes
    nonce: bytes

    def encode(self) -> str:
        """Return the JSON text."""
        name = "bandwidthCredential" if self.version == 1 else "bandwidthCredentialV2"
        return _sealed_credential(name, self.sealed_credential, self.nonce)


GatewayRequest: TypeAlias = (
    SupportedProtocolRequest
    | RegisterHandshakeInit
    | AuthenticateV2
    | ClaimFreeTestnetBandwidth
    | EcashCredential
    | UpgradeModeJwt
    | EncryptedRequest
    | LegacyAuthenticate
    | LegacyBandwidthCredential
)


def _sealed_credential(kind: str, sealed_credential: bytes, nonce: bytes) -> str:
    return write_object(
        {"type": kind, "enc_credential": list(sealed_credential), "iv": list(nonce)}
    )


def _register_init(fields: Fields) -> RegisterHandshakeInit:
    return RegisterHandshakeInit(fields.integer("protocol_version", U8, 0), fields.octets("data"))


def _authenticate_v2(fields: Fields) -> AuthenticateV2:
    identity = fields.octets("clientIdentity", 32)
    if not ed25519_decompresses(identity):
        raise GatewayProtocolError("the client identity is no Ed25519 public key")
    return AuthenticateV2(
        fields.integer("protocolVersion", U8),
        identity,
        fields.base64("addressCiphertext"),
        fields.base64("nonce"),
        fields.integer("requestUnixTimestamp", U64),
        fields.octets("requestSignature", SIGNATURE_BYTES),
    )


def _ecash_credential(fields: Fields) -> EcashCredential:
    if "iv" in fields and "nonce" in fields:
        raise GatewayProtocolError("the nonce is given twice, as 'iv' and as 'nonce'")
    return EcashCredential(
        fields.octets("enc_credential"), fields.octets("nonce" if "nonce" in fields else "iv")
    )


def _legacy_authenticate(fields: Fields) -> LegacyAuthenticate:
    version = None
    if "protocol_version" in fields and fields.any("protocol_version") is not None:
        version = fields.integer("protocol_version", U8)
    return LegacyAuthenticate(
        version, fields.text("address"), fields.text("enc_address"), fields.text("iv")
    )


_READERS: dict[str, Callable[[Fields], GatewayRequest]] = {
    "supportedProtocol": lambda _: SupportedProtocolRequest(),
    "registerHandshakeInitRequest": _register_init,
    "handshakePayload": _register_init,
    "authenticateV2": _authenticate_v2,
    "claimFreeTestnetBandwidth": lambda _: ClaimFreeTestnetBandwidth(),
    "ecashCredential": _ecash_credential,
    "upgradeModeJWT": lambda fields: UpgradeModeJwt(fields.text("token")),
    "encryptedRequest": lambda fields: EncryptedRequest(
        fields.octets("ciphertext"), fields.octets("nonce")
    ),
    "authenticate": _legacy_authenticate,
    "bandwidthCredential": lambda fields: LegacyBandwidthCredential(
        1, fields.octets("enc_credential"), fields.octets("iv")
    ),
    "bandwidthCredentialV2": lambda fields: LegacyBandwidthCredential(
        2, fields.octets("enc_credential"), fields.octets("iv")
    ),
}


def parse_request(text: str) -> GatewayRequest:
    """Read a text that a client sent.

    Raises:
        GatewayProtocolError: not JSON, an unknown type, or a field that is missing or wrong.
    """
    fields = READER.read_object(text)
    reader = _READERS.get(fields.text("type"))
    if reader is None:
        raise GatewayProtocolError("the request is of an unknown type")
    return reader(fields)
