"""The JSON texts: round trips, strictness, and no crash on anything."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import GatewayProtocolError
from nymproxy.mixnet.gateway import ClientIdentityKey, SharedKey, requests, responses
from nymproxy.mixnet.gateway.encrypted_texts import (
    ForgetMe,
    ForgetMeAck,
    RememberMe,
    RememberMeAck,
    SessionType,
    open_request,
    open_response,
    seal_request,
    seal_response,
)
from nymproxy.mixnet.gateway.handshake_texts import (
    HandshakeError,
    HandshakePayload,
    parse_handshake_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = SharedKey(b"k" * 32)
PUBLIC_KEYS = [ClientIdentityKey(Random(n).randbytes(32)).public_key for n in range(5)]

versions = st.integers(0, 255)
octets = st.binary(max_size=100)
words = st.text(st.characters(codec="utf-8"), max_size=40)
amounts = st.integers(-(2**63), 2**63 - 1)

REQUESTS = st.one_of(
    st.just(requests.SupportedProtocolRequest()),
    st.builds(requests.RegisterHandshakeInit, versions, octets),
    st.builds(
        requests.AuthenticateV2,
        versions,
        st.sampled_from(PUBLIC_KEYS),
        octets,
        octets,
        st.integers(0, 2**64 - 1),
        st.binary(min_size=64, max_size=64),
    ),
    st.just(requests.ClaimFreeTestnetBandwidth()),
    st.builds(requests.EcashCredential, octets, octets),
    st.builds(requests.UpgradeModeJwt, words),
    st.builds(requests.EncryptedRequest, octets, octets),
    st.builds(requests.LegacyAuthenticate, st.one_of(st.none(), versions), words, words, words),
    st.builds(requests.LegacyBandwidthCredential, st.sampled_from([1, 2]), octets, octets),
)
RESPONSES = st.one_of(
    st.builds(responses.SupportedProtocolResponse, versions),
    st.builds(responses.RegisterResponse, versions, st.booleans(), st.booleans()),
    st.builds(responses.AuthenticateResponse, versions, st.booleans(), amounts, st.booleans()),
    st.builds(responses.BandwidthResponse, amounts, st.booleans()),
    st.builds(responses.SendResponse, amounts, st.booleans()),
    st.builds(responses.EncryptedResponse, octets, octets),
    st.builds(responses.ErrorResponse, words),
    st.builds(responses.OutOfBandwidthResponse, amounts, amounts),
    st.just(responses.TicketReplayResponse()),
)
HANDSHAKE_TEXTS = st.one_of(
    st.builds(HandshakePayload, versions, octets), st.builds(HandshakeError, words)
)
PARSERS = [requests.parse_request, responses.parse_response, parse_handshake_text]


@given(REQUESTS)
def test_requests_round_trip(request: requests.GatewayRequest) -> None:
    assert requests.parse_request(request.encode()) == request


@given(RESPONSES)
def test_responses_round_trip(response: responses.GatewayResponse) -> None:
    assert responses.parse_response(response.encode()) == response


@given(HANDSHAKE_TEXTS)
def test_handshake_texts_round_trip(message: HandshakePayload | HandshakeError) -> None:
    assert parse_handshake_text(message.encode()) == message


@given(HANDSHAKE_TEXTS)
def test_first_handshake_text_is_a_request(message: HandshakePayload | HandshakeError) -> None:
    if isinstance(message, HandshakePayload):
        request = requests.parse_request(message.encode())
        assert request == requests.RegisterHandshakeInit(message.protocol_version, message.data)


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
TYPES = [
    "supportedProtocol",
    "handshakePayload",
    "handshakeError",
    "registerHandshakeInitRequest",
    "authenticateV2",
    "claimFreeTestnetBandwidth",
    "ecashCredential",
    "upgradeModeJWT",
    "encryptedRequest",
    "authenticate",
    "bandwidthCredential",
    "register",
    "bandwidth",
    "send",
    "encryptedResponse",
    "error",
    "typedError",
]


@given(
    st.one_of(st.text(max_size=30), anything.map(json.dumps)),
    st.sampled_from(PARSERS),
)
def test_never_crashes(text: str, parse: Callable[[str], object]) -> None:
    try:
        parse(text)
    except GatewayProtocolError:
        return


@given(
    st.sampled_from(TYPES),
    st.one_of(REQUESTS, RESPONSES).map(lambda message: json.loads(message.encode())),
    st.lists(st.tuples(st.integers(0, 20), anything), max_size=2),
    st.sampled_from(PARSERS),
)
def test_never_crashes_on_wrong_fields(
    kind: str,
    fields: dict[str, Any],
    changes: list[tuple[int, Any]],
    parse: Callable[[str], object],
) -> None:
    names = list(fields)
    for index, value in changes:
        fields[names[index % len(names)]] = value
    for candidate in (fields, fields | {"type": kind}):
        try:
            parse(json.dumps(candidate))
        except GatewayProtocolError:
            continue


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"send"',
        "{}",
        '{"type":null}',
        '{"type":5}',
        '{"type":["send"]}',
        '{"type":"send","remaining_bandwidth":true}',
        '{"type":"send","remaining_bandwidth":"5"}',
        '{"type":"send","remaining_bandwidth":5.0}',
        '{"type":"send","remaining_bandwidth":5e0}',
        '{"type":"send","remaining_bandwidth":-0}',
        '{"type":"send","remaining_bandwidth":NaN}',
        '{"type":"send","remaining_bandwidth":Infinity}',
        '{"type":"send","remaining_bandwidth":9223372036854775808}',
        '{"type":"send","remaining_bandwidth":' + "9" * 5000 + "}",
        '{"type":"send","remaining_bandwidth":5,"remaining_bandwidth":5}',
        '{"type":"send","type":"send","remaining_bandwidth":5}',
        '{"type":"send","remaining_bandwidth":5,"upgrade_mode":null}',
        '{"type":"send","remaining_bandwidth":5,"upgrade_mode":0}',
        '{"type":"send","remaining_bandwidth":5} trailing',
        '{"type":"error","message":"\\ud800"}',
        '{"type":"error","message":null}',
        '{"type":"supportedProtocol","version":256}',
        '{"type":"supportedProtocol","version":-1}',
        '{"type":"encryptedResponse","ciphertext":[true],"nonce":[]}',
        '{"type":"encryptedResponse","ciphertext":[1.0],"nonce":[]}',
        '{"type":"encryptedResponse","ciphertext":[-1],"nonce":[]}',
        '{"type":"encryptedResponse","ciphertext":"AQ==","nonce":[]}',
        '{"type":"typedError","error":"out_of_bandwidth"}',
        '{"type":"typedError","error":{}}',
        '{"type":"typedError","error":{"out_of_bandwidth":[]}}',
        '{"type":"typedError","error":{"ticket_replay":{}}}',
        '{"type":"typedError","error":{"out_of_bandwidth":{"required":1,"available":2},"x":1}}',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=lambda text: text[:60],
)
def test_refused_responses(text: str) -> None:
    with pytest.raises(GatewayProtocolError):
        responses.parse_response(text)


AUTHENTICATION = requests.AuthenticateV2(6, PUBLIC_KEYS[0], b"c" * 48, b"n" * 12, 1, b"s" * 64)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("protocolVersion", 256),
        ("protocolVersion", None),
        ("clientIdentity", [2] + [0] * 31),  # no point of the curve
        ("clientIdentity", [1] * 31),
        ("clientIdentity", "base58"),
        ("addressCiphertext", "YWJj="),
        ("addressCiphertext", "YWJ"),
        ("addressCiphertext", "YW J"),
        ("addressCiphertext", "YWJ_"),
        ("addressCiphertext", "YWI"),
        ("addressCiphertext", "YWJ="),  # bits left over
        ("nonce", [1] * 12),
        ("requestUnixTimestamp", -1),
        ("requestUnixTimestamp", 2**64),
        ("requestSignature", [1] * 63),
    ],
)
def test_refused_authentications(name: str, value: object) -> None:
    fields = json.loads(AUTHENTICATION.encode())
    assert requests.parse_request(json.dumps(fields)) == AUTHENTICATION
    with pytest.raises(GatewayProtocolError):
        requests.parse_request(json.dumps(fields | {name: value}))
    del fields[name]
    with pytest.raises(GatewayProtocolError):
        requests.parse_request(json.dumps(fields))


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"ecashCredential","enc_credential":[1],"iv":[2],"nonce":[2]}',
        '{"type":"ecashCredential","enc_credential":[1]}',
        '{"type":"authenticate","protocol_version":true,"address":"","enc_address":"","iv":""}',
        '{"type":"authenticate","protocol_version":256,"address":"","enc_address":"","iv":""}',
        '{"type":"handshakeError","message":"not a request"}',
    ],
)
def test_refused_requests(text: str) -> None:
    with pytest.raises(GatewayProtocolError):
        requests.parse_request(text)


SENSITIVE_REQUESTS = st.one_of(
    st.builds(ForgetMe, st.booleans(), st.booleans()),
    st.builds(RememberMe, st.sampled_from(SessionType)),
)


@given(SENSITIVE_REQUESTS, st.binary(min_size=12, max_size=12))
def test_encrypted_requests_round_trip(request: ForgetMe | RememberMe, nonce: bytes) -> None:
    sealed = seal_request(request, KEY, nonce)
    assert open_request(sealed, KEY) == request
    with pytest.raises(GatewayProtocolError):
        open_request(sealed, SharedKey(b"x" * 32))


@pytest.mark.parametrize("response", [ForgetMeAck(), RememberMeAck()])
def test_encrypted_responses_round_trip(response: ForgetMeAck | RememberMeAck) -> None:
    sealed = seal_response(response, KEY, b"n" * 12)
    assert open_response(sealed, KEY) == response


@given(
    st.one_of(
        st.binary(max_size=30),
        anything.map(lambda value: json.dumps(value).encode()),
        st.sampled_from(["ForgetMe", "RememberMe", "ForgetMeAck", "RememberMeAck"]).flatmap(
            lambda name: anything.map(lambda value: json.dumps({name: value}).encode())
        ),
    )
)
def test_encrypted_texts_never_crash(plaintext: bytes) -> None:
    sealed = KEY.seal(plaintext, b"n" * 12)
    for open_text in (
        lambda: open_request(requests.EncryptedRequest(sealed, b"n" * 12), KEY),
        lambda: open_response(responses.EncryptedResponse(sealed, b"n" * 12), KEY),
    ):
        try:
            open_text()
        except GatewayProtocolError:
            continue


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_sealed_garbage_never_crashes(ciphertext: bytes, nonce: bytes) -> None:
    with pytest.raises(GatewayProtocolError):
        open_request(requests.EncryptedRequest(ciphertext, nonce), KEY)
    with pytest.raises(GatewayProtocolError):
        open_response(responses.EncryptedResponse(ciphertext, nonce), KEY)


@pytest.mark.parametrize(
    "plaintext",
    [
        '{"Other":{}}',
        '{"RememberMe":{"session_type":"x"}}',
        '{"ForgetMe":{"client":1,"stats":true}}',
    ],
)
def test_encrypted_requests_of_no_kind_that_is_known(plaintext: str) -> None:
    sealed = KEY.seal(plaintext.encode(), b"n" * 12)
    with pytest.raises(GatewayProtocolError):
        open_request(requests.EncryptedRequest(sealed, b"n" * 12), KEY)


@pytest.mark.parametrize("error", ['"ticket_replay"', '{"ticket_replay":null}'])
def test_a_ticket_replay_is_read_in_both_forms(error: str) -> None:
    response = responses.parse_response(f'{{"type":"typedError","error":{error}}}')
    assert response == responses.TicketReplayResponse()


def test_other_typed_errors_are_refused() -> None:
    text = '{"type":"typedError","error":{"out_of_patience":{}}}'
    with pytest.raises(GatewayProtocolError):
        responses.parse_response(text)


def test_encrypted_responses_of_no_kind_that_is_known() -> None:
    sealed = KEY.seal(b'{"OtherAck":{}}', b"n" * 12)
    with pytest.raises(GatewayProtocolError, match="unknown kind"):
        open_response(responses.EncryptedResponse(sealed, b"n" * 12), KEY)


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"send","remaining_bandwidth":-12,"upgrade_mode":false}',
        '{"type":"send","remaining_bandwidth":-12}',
        '{ "type":"send","remaining_bandwidth":-12}',
        '{"remaining_bandwidth":-12,"type":"send"}',
    ],
)
def test_the_answer_to_a_packet_is_read_the_same_however_it_is_written(text: str) -> None:
    assert responses.parse_response(text) == responses.SendResponse(-12)


@pytest.mark.parametrize("number", ["01", "-0.5", "1e3", "9223372036854775808", "", "\u0661"])
def test_what_is_no_i64_is_refused(number: str) -> None:
    with pytest.raises(GatewayProtocolError):
        responses.parse_response(f'{{"type":"send","remaining_bandwidth":{number}}}')
