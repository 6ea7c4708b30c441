"""Texts that a gateway sends to its client.

Format of nym-gateway-requests 1.21.6 src/types/text_response.rs; vectors:
tests/vectors/gateway.json, sections ``text_responses`` and ``text_response_parsing``. Responses
carry no request id: they are matched by order and type alone. All byte counts may be negative.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from nymproxy._strict_json import I64, U8, Fields, write_object
from nymproxy.errors import GatewayProtocolError
from nymproxy.mixnet.gateway._json import READER

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class SupportedProtocolResponse:
    """The highest version the gateway speaks."""

    version: int

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object({"type": "supportedProtocol", "version": self.version})


@dataclass(frozen=True, slots=True)
class RegisterResponse:
    """The end of a registration; ``status`` false means refused."""

    protocol_version: int
    status: bool
    upgrade_mode: bool = False

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "register",
                "protocol_version": self.protocol_version,
                "status": self.status,
                "upgrade_mode": self.upgrade_mode,
            }
        )


@dataclass(frozen=True, slots=True)
class AuthenticateResponse:
    """The end of an authentication, with the allowance in bytes that is left."""

    protocol_version: int
    status: bool
    bandwidth_remaining: int
    upgrade_mode: bool = False

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "authenticate",
                "protocol_version": self.protocol_version,
                "status": self.status,
                "bandwidth_remaining": self.bandwidth_remaining,
                "upgrade_mode": self.upgrade_mode,
            }
        )


@dataclass(frozen=True, slots=True)
class BandwidthResponse:
    """The answer to a claim: all that is available now, in bytes."""

    available_total: int
    upgrade_mode: bool = False

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "bandwidth",
                "available_total": self.available_total,
                "upgrade_mode": self.upgrade_mode,
            }
        )


@dataclass(frozen=True, slots=True)
class SendResponse:
    """The answer to one forwarded packet: what is left, in bytes."""

    remaining_bandwidth: int
    upgrade_mode: bool = False

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "send",
                "remaining_bandwidth": self.remaining_bandwidth,
                "upgrade_mode": self.upgrade_mode,
            }
        )


@dataclass(frozen=True, slots=True)
class EncryptedResponse:
    """A response sealed with the shared key (:mod:`nymproxy.mixnet.gateway.encrypted_texts`)."""

    ciphertext: bytes
    nonce: bytes

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "encryptedResponse",
                "ciphertext": list(self.ciphertext),
                "nonce": list(self.nonce),
            }
        )


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A refusal in words. Before authentication it ends the connection."""

    message: str

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object({"type": "error", "message": self.message})


@dataclass(frozen=True, slots=True)
class OutOfBandwidthResponse:
    """A packet was not forwarded: it needs ``required`` bytes, ``available`` are left."""

    required: int
    available: int

    def encode(self) -> str:
        """Return the JSON text."""
        details = {"required": self.required, "available": self.available}
        return write_object({"type": "typedError", "error": {"out_of_bandwidth": details}})


@dataclass(frozen=True, slots=True)
class TicketReplayResponse:
    """A paid ticket was spent here before."""

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object({"type": "typedError", "error": "ticket_replay"})


GatewayResponse: TypeAlias = (
    SupportedProtocolResponse
    | RegisterResponse
    | AuthenticateResponse
    | BandwidthResponse
    | SendResponse
    | EncryptedResponse
    | ErrorResponse
    | OutOfBandwidthResponse
    | TicketReplayResponse
)


def _register(fields: Fields) -> RegisterResponse:
    return RegisterResponse(
        fields.integer("protocol_version", U8, 0),
        fields.boolean("status"),
        fields.boolean("upgrade_mode", False),
    )


def _authenticate(fields: Fields) -> AuthenticateResponse:
    return AuthenticateResponse(
        fields.integer("protocol_version", U8, 0),
        fields.boolean("status"),
        fields.integer("bandwidth_remaining", I64),
        fields.boolean("upgrade_mode", False),
    )


def _typed_error(fields: Fields) -> OutOfBandwidthResponse | TicketReplayResponse:
    error = fields.any("error")
    if error == "ticket_replay":
        return TicketReplayResponse()
    name, details = READER.as_object(error).only()
    if name == "ticket_replay" and details is None:
        return TicketReplayResponse()
    if name != "out_of_bandwidth":
        raise GatewayProtocolError("a typed error is of an unknown kind")
    amounts = READER.as_object(details)
    return OutOfBandwidthResponse(
        amounts.integer("required", I64), amounts.integer("available", I64)
    )


# What serde_json makes of it. Eighteen digits are within an i64.
_SEND_RESPONSE = re.compile(
    r'\{"type":"send","remaining_bandwidth":(0|-?[1-9][0-9]{0,17})(?:,"upgrade_mode":false)?\}'
)

_READERS: dict[str, Callable[[Fields], GatewayResponse]] = {
    "supportedProtocol": lambda fields: SupportedProtocolResponse(fields.integer("version", U8)),
    "register": _register,
    "authenticate": _authenticate,
    "bandwidth": lambda fields: BandwidthResponse(
        fields.integer("available_total", I64), fields.boolean("upgrade_mode", False)
    ),
    "send": lambda fields: SendResponse(
        fields.integer("remaining_bandwidth", I64), fields.boolean("upgrade_mode", False)
    ),
    "encryptedResponse": lambda fields: EncryptedResponse(
        fields.octets("ciphertext"), fields.octets("nonce")
    ),
    "error": lambda fields: ErrorResponse(fields.text("message")),
    "typedError": _typed_error,
}


def parse_response(text: str) -> GatewayResponse:
    """Read a text that a gateway sent.

    The answer to each packet is read without the JSON parser, where it is written as gateways do.

    Raises:
        GatewayProtocolError: not JSON, an unknown type, or a field that is missing or wrong.
    """
    answer = _SEND_RESPONSE.fullmatch(text)
    if answer is not None:
        return SendResponse(int(answer[1]))
    fields = READER.read_object(text)
    reader = _READERS.get(fields.text("type"))
    if reader is None:
        raise GatewayProtocolError("the response is of an unknown type")
    return reader(fields)
