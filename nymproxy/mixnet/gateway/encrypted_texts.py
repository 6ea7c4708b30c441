"""What travels inside ``encryptedRequest`` and ``encryptedResponse``.

Format of nym-gateway-requests 1.21.6 (``ClientRequest`` of src/types/text_request/mod.rs,
``SensitiveServerResponse`` of src/types/text_response.rs): compact JSON, externally tagged, sealed
with the shared key. Vectors: tests/vectors/gateway.json, sections ``encrypted_requests`` and
``encrypted_responses``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from nymproxy._strict_json import write_object
from nymproxy.errors import GatewayProtocolError
from nymproxy.mixnet.gateway._json import READER
from nymproxy.mixnet.gateway.requests import EncryptedRequest
from nymproxy.mixnet.gateway.responses import EncryptedResponse

if TYPE_CHECKING:
    from nymproxy.mixnet.gateway.keys import SharedKey


class SessionType(enum.Enum):
    """What a session is counted as in the gateway's statistics."""

    VPN = "Vpn"
    MIXNET = "Mixnet"
    WASM = "Wasm"
    NATIVE = "Native"
    SOCKS5 = "Socks5"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class ForgetMe:
    """Delete what the gateway keeps. With ``client`` the client is no longer registered."""

    client: bool
    stats: bool

    def encode(self) -> str:
        """Return the JSON plaintext."""
        return write_object({"ForgetMe": {"client": self.client, "stats": self.stats}})


@dataclass(frozen=True, slots=True)
class RememberMe:
    """Count this session in the statistics."""

    session_type: SessionType

    def encode(self) -> str:
        """Return the JSON plaintext."""
        return write_object({"RememberMe": {"session_type": self.session_type.value}})


@dataclass(frozen=True, slots=True)
class ForgetMeAck:
    """The gateway has forgotten."""

    def encode(self) -> str:
        """Return the JSON plaintext."""
        return write_object({"ForgetMeAck": {}})


@dataclass(frozen=True, slots=True)
class RememberMeAck:
    """The session is counted."""

    def encode(self) -> str:
        """Return the JSON plaintext."""
        return write_object({"RememberMeAck": {}})


SensitiveRequest: TypeAlias = ForgetMe | RememberMe
SensitiveResponse: TypeAlias = ForgetMeAck | RememberMeAck


def seal_request(request: SensitiveRequest, key: SharedKey, nonce: bytes) -> EncryptedRequest:
    """Seal a request with a fresh nonce of 12 bytes."""
    return EncryptedRequest(key.seal(request.encode().encode(), nonce), nonce)


def seal_response(response: SensitiveResponse, key: SharedKey, nonce: bytes) -> EncryptedResponse:
    """Seal a response with a fresh nonce of 12 bytes."""
    return EncryptedResponse(key.seal(response.encode().encode(), nonce), nonce)


def _open(sealed: EncryptedRequest | EncryptedResponse, key: SharedKey) -> str:
    try:
        return key.open(sealed.ciphertext, sealed.nonce).decode()
    except UnicodeDecodeError as error:
        raise GatewayProtocolError("an encrypted text is not UTF-8") from error


def open_request(sealed: EncryptedRequest, key: SharedKey) -> SensitiveRequest:
    """Open and read a request.

    Raises:
        GatewayProtocolError: it does not open, or is of an unknown kind.
    """
    name, value = READER.read_object(_open(sealed, key)).only()
    fields = READER.as_object(value)
    if name == "ForgetMe":
        return ForgetMe(fields.boolean("client"), fields.boolean("stats"))
    if name != "RememberMe":
        raise GatewayProtocolError("an encrypted request is of an unknown kind")
    try:
        return RememberMe(SessionType(fields.text("session_type")))
    except ValueError as error:
        raise GatewayProtocolError("an encrypted request names an unknown session type") from error


def open_response(sealed: EncryptedResponse, key: SharedKey) -> SensitiveResponse:
    """Open and read a response.

    Raises:
        GatewayProtocolError: it does not open, or is of an unknown kind.
    """
    name, value = READER.read_object(_open(sealed, key)).only()
    READER.as_object(value)
    if name == "ForgetMeAck":
        return ForgetMeAck()
    if name == "RememberMeAck":
        return RememberMeAck()
    raise GatewayProtocolError("an encrypted response is of an unknown kind")
