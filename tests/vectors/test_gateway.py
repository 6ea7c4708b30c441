"""gateway.json: every section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nymproxy import _base58
from nymproxy.address import NodeIdentity
from nymproxy.errors import GatewayProtocolError, GatewayRefused, MessageFormatError
from nymproxy.mixnet.gateway import encrypted_texts, requests, responses
from nymproxy.mixnet.gateway.allowance import LOW_BANDWIDTH_BYTES
from nymproxy.mixnet.gateway.authentication import (
    address_ciphertext_is_valid,
    build_authentication,
    request_signature_is_valid,
)
from nymproxy.mixnet.gateway.frames import RequestKind, ResponseKind, open_frame, seal_frame
from nymproxy.mixnet.gateway.handshake import ClientHandshake, GatewayHandshake
from nymproxy.mixnet.gateway.handshake_texts import HandshakePayload, parse_handshake_text
from nymproxy.mixnet.gateway.keys import (
    NONCE_BYTES,
    ClientIdentityKey,
    SharedKey,
    x25519_public,
)
from nymproxy.mixnet.gateway.versions import CURRENT_PROTOCOL_VERSION
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import PacketSize
from tests.vectors.files import load

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = load("gateway.json")
KEY = SharedKey(bytes.fromhex(VECTORS["shared_key"]))
REQUEST_KINDS = {
    "ForwardSphinx": RequestKind.FORWARD_SPHINX,
    "ForwardSphinxV2": RequestKind.FORWARD_SPHINX_V2,
}


def cases(section: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case", VECTORS[section], ids=lambda case: case.get("name") if "name" in case else None
    )


def recorded(*parts: bytes) -> Callable[[int], bytes]:
    """Replay random bytes; asking for another length than was recorded fails."""
    queue = list(parts)

    def random_bytes(count: int) -> bytes:
        part = queue.pop(0)
        assert len(part) == count
        return part

    return random_bytes


def _nonce(text: str | None) -> bytes:
    """The nonce at the end of a recorded handshake message (unused when it was an error)."""
    message = parse_handshake_text(text) if text else None
    return message.data[-NONCE_BYTES:] if isinstance(message, HandshakePayload) else bytes(12)


@cases("handshakes")
def test_handshakes(case: dict[str, Any]) -> None:
    texts = [message["text"] for message in case["messages"]]
    client_identity = ClientIdentityKey(bytes.fromhex(case["client_identity_secret"]))
    gateway_identity = ClientIdentityKey(bytes.fromhex(case["gateway_identity_secret"]))
    client_secret = bytes.fromhex(case["client_ephemeral_secret"])
    gateway_secret = bytes.fromhex(case["gateway_ephemeral_secret"])
    assert client_identity.public_key.hex() == case["client_identity_public"]
    assert gateway_identity.public_key.hex() == case["gateway_identity_public"]
    assert x25519_public(client_secret).hex() == case["client_ephemeral_public"]
    assert x25519_public(gateway_secret).hex() == case["gateway_ephemeral_public"]
    client = ClientHandshake(
        client_identity,
        NodeIdentity(bytes.fromhex(case["gateway_identity_expected_by_client"])),
        protocol_version=case["client_proposed_protocol"],
        random_bytes=recorded(
            client_secret, bytes.fromhex(case["initiator_salt"]), _nonce(texts[2])
        ),
    )
    gateway = GatewayHandshake(
        gateway_identity, random_bytes=recorded(gateway_secret, _nonce(texts[1]))
    )

    sent: list[str] = [client.start().encode()]
    sides = (gateway, client)
    error_texts: dict[str, str] = {}
    while len(sent) < len(texts):
        side = sides[(len(sent) - 1) % 2]
        try:
            reply = side.receive(parse_handshake_text(sent[-1]))
            assert reply is not None
            sent.append(reply.encode())
        except (GatewayProtocolError, GatewayRefused):
            assert side.failure_reply is not None
            error_texts["client" if side is client else "gateway"] = side.failure_reply.message
            sent.append(side.failure_reply.encode())
    assert sent == texts

    for decoded, text in zip(case["messages_decoded"], texts, strict=True):
        message = parse_handshake_text(text)
        if isinstance(message, HandshakePayload):
            assert message.data.hex() == decoded["data"]
            assert message.protocol_version == decoded["protocol_version"]
        else:
            assert message.message == decoded["error"]
    if "shared_key" in case:
        assert client.receive(parse_handshake_text(texts[-1])) is None
        assert client.is_finished
        assert gateway.is_finished
        assert client.shared_key.to_bytes().hex() == case["shared_key"]
        assert gateway.shared_key == client.shared_key
        assert client.protocol_version == gateway.protocol_version == case["negotiated_protocol"]
        assert gateway.client_identity == client_identity.public_key
    else:
        assert error_texts.get("client") == case.get("client_error")
        assert error_texts.get("gateway") == case.get("gateway_error")


@cases("authenticate_v2")
def test_authenticate_v2(case: dict[str, Any]) -> None:
    key = SharedKey(bytes.fromhex(case["shared_key"]))
    request = build_authentication(
        ClientIdentityKey(bytes.fromhex(case["client_identity_secret"])),
        key,
        protocol_version=case["protocol_version"],
        unix_timestamp=case["request_unix_timestamp"],
        nonce=bytes.fromhex(case["nonce"]),
    )
    assert request.encode() == case["json"]
    assert request.client_identity.hex() == case["client_identity_public"]
    assert request.address_ciphertext.hex() == case["address_ciphertext"]
    assert request.signature.hex() == case["request_signature"]
    assert request.signed_bytes().hex() == case["signed_plaintext"]
    assert requests.parse_request(case["json"]) == request
    assert request_signature_is_valid(request)
    assert address_ciphertext_is_valid(request, key)


@cases("authenticate_v2_checks")
def test_authenticate_v2_checks(case: dict[str, Any]) -> None:
    request = requests.parse_request(case["json"])
    assert isinstance(request, requests.AuthenticateV2)
    assert request.signed_bytes().hex() == case["signed_plaintext"]
    assert request_signature_is_valid(request) is case["signature_ok"]
    assert address_ciphertext_is_valid(request, KEY) is case["ciphertext_ok"]
    assert request.encode() == case["json"]


def test_authenticate_v2_from_constructor() -> None:
    case = VECTORS["authenticate_v2_from_constructor"]
    request = requests.parse_request(case["json"])
    assert isinstance(request, requests.AuthenticateV2)
    assert request.client_identity.hex() == case["client_identity_public"]
    assert request_signature_is_valid(request)
    assert address_ciphertext_is_valid(request, SharedKey(bytes.fromhex(case["shared_key"])))


@cases("binary_requests")
def test_binary_requests(case: dict[str, Any]) -> None:
    plaintext = bytes.fromhex(case["plaintext"])
    kind = REQUEST_KINDS[case["kind"]]
    frame = seal_frame(KEY, kind, plaintext, bytes.fromhex(case["nonce"]))
    assert frame.hex() == case["ws_binary_message"]
    opened = open_frame(KEY, frame, RequestKind)
    assert (opened.kind, opened.plaintext) == (kind, plaintext)


def decode_packet(kind: RequestKind, plaintext: bytes) -> MixPacket:
    decode = MixPacket.decode_v2 if kind is RequestKind.FORWARD_SPHINX_V2 else MixPacket.decode_v1
    return decode(plaintext)


@cases("binary_requests")
def test_packets_of_binary_requests(case: dict[str, Any]) -> None:
    plaintext = bytes.fromhex(case["plaintext"])
    kind = REQUEST_KINDS[case["kind"]]
    packet = decode_packet(kind, plaintext)
    assert packet.packet.hex() == case["sphinx_packet"]
    assert packet.rotation == case["key_rotation"]
    assert str(packet.first_hop) == case["next_hop"]
    is_v2 = kind is RequestKind.FORWARD_SPHINX_V2
    assert (packet.encode_v2() if is_v2 else packet.encode_v1()) == plaintext


@cases("binary_request_parsing")
def test_binary_request_parsing(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["raw"])
    if not case["ok"]:
        with pytest.raises((GatewayProtocolError, MessageFormatError)):
            parse_binary_request(raw)
        return
    opened = open_frame(KEY, raw, RequestKind, allow_unencrypted=True)
    packet = decode_packet(opened.kind, opened.plaintext)
    assert len(packet.packet) == case["packet_len"]
    assert packet.rotation == case["key_rotation"]
    assert str(packet.first_hop) == case["next_hop"]
    if raw[1] == 0:
        with pytest.raises(GatewayProtocolError):
            parse_binary_request(raw)
    else:
        assert opened.plaintext.hex() == case["plaintext"]
        assert parse_binary_request(raw) == packet


def parse_binary_request(raw: bytes) -> MixPacket:
    opened = open_frame(KEY, raw, RequestKind)
    return decode_packet(opened.kind, opened.plaintext)


@cases("binary_responses")
def test_binary_responses(case: dict[str, Any]) -> None:
    message = bytes.fromhex(case["message"])
    assert case["kind"] == "PushedMixMessage"
    assert len(message) == case["message_len"]
    frame = seal_frame(KEY, ResponseKind.PUSHED_MIX_MESSAGE, message, bytes.fromhex(case["nonce"]))
    assert frame.hex() == case["ws_binary_message"]
    assert open_frame(KEY, frame, ResponseKind).plaintext == message


@cases("binary_response_parsing")
def test_binary_response_parsing(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["raw"])
    if not case["ok"]:
        for allow_unencrypted in (False, True):
            with pytest.raises(GatewayProtocolError):
                open_frame(KEY, raw, ResponseKind, allow_unencrypted=allow_unencrypted)
        return
    opened = open_frame(KEY, raw, ResponseKind, allow_unencrypted=True)
    assert opened.plaintext.hex() == case["message"]
    if raw[1] == 0:
        with pytest.raises(GatewayProtocolError):
            open_frame(KEY, raw, ResponseKind)


@pytest.mark.parametrize("case", VECTORS["handshake_texts"], ids=lambda case: case["name"])
def test_handshake_texts(case: dict[str, Any]) -> None:
    message = parse_handshake_text(case["json"])
    assert message.encode() == case["json"]
    assert type(message).__name__ == case["name"]


@cases("text_requests")
def test_text_requests(case: dict[str, Any]) -> None:
    assert requests.parse_request(case["json"]).encode() == case["json"]


@pytest.mark.parametrize("case", VECTORS["text_request_parsing"], ids=lambda case: case["text"])
def test_text_request_parsing(case: dict[str, Any]) -> None:
    if case["ok"]:
        assert requests.parse_request(case["text"]).encode() == case["reserialised"]
    else:
        with pytest.raises(GatewayProtocolError):
            requests.parse_request(case["text"])


@cases("text_responses")
def test_text_responses(case: dict[str, Any]) -> None:
    response = responses.parse_response(case["json"])
    assert response.encode() == case["json"]
    assert isinstance(response, responses.ErrorResponse) is case["is_error"]
    authenticated = (
        isinstance(response, (responses.RegisterResponse, responses.AuthenticateResponse))
        and response.status
    )
    assert authenticated is case["implies_successful_authentication"]


@pytest.mark.parametrize("case", VECTORS["text_response_parsing"], ids=lambda case: case["text"])
def test_text_response_parsing(case: dict[str, Any]) -> None:
    if case["ok"]:
        assert responses.parse_response(case["text"]).encode() == case["reserialised"]
    else:
        with pytest.raises(GatewayProtocolError):
            responses.parse_response(case["text"])


@cases("encrypted_requests")
def test_encrypted_requests(case: dict[str, Any]) -> None:
    sealed = requests.parse_request(case["json"])
    assert isinstance(sealed, requests.EncryptedRequest)
    request = encrypted_texts.open_request(sealed, KEY)
    assert request.encode() == case["plaintext_json"]
    again = encrypted_texts.seal_request(request, KEY, bytes.fromhex(case["nonce"]))
    assert again.ciphertext.hex() == case["ciphertext"]
    assert again.encode() == case["json"]


@cases("encrypted_responses")
def test_encrypted_responses(case: dict[str, Any]) -> None:
    sealed = responses.parse_response(case["json"])
    assert isinstance(sealed, responses.EncryptedResponse)
    response = encrypted_texts.open_response(sealed, KEY)
    assert response.encode() == case["plaintext_json"]
    again = encrypted_texts.seal_response(response, KEY, bytes.fromhex(case["nonce"]))
    assert again.ciphertext.hex() == case["ciphertext"]
    assert again.encode() == case["json"]


def test_ecash_credential() -> None:
    case = VECTORS["ecash_credential"]
    nonce = bytes.fromhex(case["nonce"])
    sealed = KEY.seal(bytes.fromhex(case["credential_bytes"]), nonce)
    assert sealed.hex() == case["enc_credential"]
    request = requests.EcashCredential(sealed, nonce)
    assert request.encode() == case["json"]
    assert requests.parse_request(case["json"]) == request


def test_constants() -> None:
    constants = VECTORS["constants"]
    assert constants["current_protocol_version"] == CURRENT_PROTOCOL_VERSION
    assert constants["default_bandwidth_threshold"] == LOW_BANDWIDTH_BYTES
    for wanted in constants["packet_sizes"]:
        size = PacketSize.from_tag(wanted["tag"])
        assert size.name == wanted["name"].upper()
        assert size.packet_length == wanted["size"]
        assert size.payload_length == wanted["payload"]
        assert size.plaintext_length == wanted["plaintext"]


def test_shared_key_in_base58() -> None:
    assert _base58.encode(KEY.to_bytes()) == VECTORS["shared_key_base58"]
