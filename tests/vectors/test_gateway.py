"""gateway.json: every section."""

from __future__ import annotations

from typing import Any

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
from nymproxy.mixnet.gateway.versions import CURRENT_PROTOCOL_VERSION, is_supported
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import PacketSize
from tests.vectors.files import load, recorded

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


def texts_of(case: dict[str, Any]) -> list[str]:
    return [message["text"] for message in case["messages"]]


def _nonce(case: dict[str, Any], index: int) -> bytes:
    """The nonce at the end of a recorded handshake message; unused if that was an error."""
    texts = texts_of(case)
    message = parse_handshake_text(texts[index]) if index < len(texts) else None
    if isinstance(message, HandshakePayload):
        return message.data[-NONCE_BYTES:]
    return bytes(NONCE_BYTES)


def client_of(case: dict[str, Any]) -> ClientHandshake:
    return ClientHandshake(
        ClientIdentityKey(bytes.fromhex(case["client_identity_secret"])),
        NodeIdentity(bytes.fromhex(case["gateway_identity_expected_by_client"])),
        protocol_version=case["client_proposed_protocol"],
        random_bytes=recorded(
            bytes.fromhex(case["client_ephemeral_secret"]),
            bytes.fromhex(case["initiator_salt"]),
            _nonce(case, 2),
        ),
    )


def gateway_of(case: dict[str, Any]) -> GatewayHandshake:
    """A gateway that insists on the version of the recorded one."""
    return GatewayHandshake(
        ClientIdentityKey(bytes.fromhex(case["gateway_identity_secret"])),
        protocol_version=wanted_version(case),
        random_bytes=recorded(bytes.fromhex(case["gateway_ephemeral_secret"]), _nonce(case, 1)),
    )


def wanted_version(case: dict[str, Any]) -> int:
    """The version in the gateway's first message."""
    version: int | None = case["messages_decoded"][1]["protocol_version"]
    return CURRENT_PROTOCOL_VERSION if version is None else version


def check_conversation(
    side: ClientHandshake | GatewayHandshake, opening: list[str], case: dict[str, Any], role: str
) -> None:
    """Feed one side what the recorded other one said; what it says is what it is recorded to."""
    said = list(opening)
    error = None
    for message in case["messages"]:
        if message["from"] == role:
            assert said.pop(0) == message["text"]
        elif error is None:
            try:
                reply = side.receive(parse_handshake_text(message["text"]))
            except (GatewayProtocolError, GatewayRefused):
                reply = None
                assert side.failure_reply is not None
                error = side.failure_reply.message
                said.append(side.failure_reply.encode())
            if reply is not None:
                said.append(reply.encode())
    assert said == []
    assert error == case.get(f"{role}_error")
    if "shared_key" in case:
        assert side.is_finished
        assert side.shared_key.to_bytes().hex() == case["shared_key"]
        assert side.protocol_version == case["negotiated_protocol"]


@cases("handshakes")
def test_clients_of_handshakes(case: dict[str, Any]) -> None:
    client = client_of(case)
    opening = [client.start().encode()]
    if "shared_key" in case and not is_supported(wanted_version(case)):
        # Rust adopts what is too old for us as well.
        with pytest.raises(GatewayProtocolError):
            client.receive(parse_handshake_text(texts_of(case)[1]))
        return
    check_conversation(client, opening, case, "client")


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in VECTORS["handshakes"]
        # A gateway that wants more than it was offered is none of ours.
        if wanted_version(case) <= case["client_proposed_protocol"]
    ],
    ids=lambda case: case["name"],
)
def test_gateways_of_handshakes(case: dict[str, Any]) -> None:
    gateway = gateway_of(case)
    check_conversation(gateway, [], case, "gateway")
    assert gateway.client_identity is not None
    assert gateway.client_identity.hex() == case["client_identity_public"]


@cases("handshakes")
def test_keys_and_texts_of_handshakes(case: dict[str, Any]) -> None:
    for role in ("client", "gateway"):
        identity = ClientIdentityKey(bytes.fromhex(case[f"{role}_identity_secret"]))
        assert identity.public_key.hex() == case[f"{role}_identity_public"]
        ephemeral = x25519_public(bytes.fromhex(case[f"{role}_ephemeral_secret"]))
        assert ephemeral.hex() == case[f"{role}_ephemeral_public"]
    for decoded, text in zip(case["messages_decoded"], texts_of(case), strict=True):
        message = parse_handshake_text(text)
        if isinstance(message, HandshakePayload):
            assert message.data.hex() == decoded["data"]
            assert message.protocol_version == decoded["protocol_version"]
        else:
            assert message.message == decoded["error"]


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
