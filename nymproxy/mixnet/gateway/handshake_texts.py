"""The two texts of a registration handshake.

Format of nym-gateway-requests 1.21.6 src/types/registration_handshake_wrapper.rs; vectors:
tests/vectors/gateway.json, section ``handshake_texts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from nymproxy._strict_json import U8, write_object
from nymproxy.errors import GatewayProtocolError
from nymproxy.mixnet.gateway._json import READER


@dataclass(frozen=True, slots=True)
class HandshakePayload:
    """One step of the handshake.

    Attributes:
        protocol_version: 0 when the sender left it out.
        data: the message itself; its layout depends on the step.
    """

    protocol_version: int
    data: bytes

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object(
            {
                "type": "handshakePayload",
                "protocol_version": self.protocol_version,
                "data": list(self.data),
            }
        )


@dataclass(frozen=True, slots=True)
class HandshakeError:
    """One side gives up and says why."""

    message: str

    def encode(self) -> str:
        """Return the JSON text."""
        return write_object({"type": "handshakeError", "message": self.message})


HandshakeText: TypeAlias = HandshakePayload | HandshakeError


def parse_handshake_text(text: str) -> HandshakeText:
    """Read a text of the handshake.

    Raises:
        GatewayProtocolError: anything else; during a handshake such texts are skipped.
    """
    fields = READER.read_object(text)
    kind = fields.text("type")
    if kind == "handshakePayload":
        return HandshakePayload(fields.integer("protocol_version", U8, 0), fields.octets("data"))
    if kind == "handshakeError":
        return HandshakeError(fields.text("message"))
    raise GatewayProtocolError("a text does not belong to the handshake")
