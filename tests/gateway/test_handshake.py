"""The registration handshake: both roles against each other, and against damage."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import NodeIdentity
from nymproxy.errors import ConfigurationError, GatewayProtocolError, GatewayRefused, NymError
from nymproxy.mixnet.gateway.authentication import (
    address_ciphertext_is_valid,
    build_authentication,
    request_signature_is_valid,
    timestamp_is_acceptable,
)
from nymproxy.mixnet.gateway.handshake import ClientHandshake, GatewayHandshake, printable
from nymproxy.mixnet.gateway.handshake_texts import (
    HandshakeError,
    HandshakePayload,
    parse_handshake_text,
)
from nymproxy.mixnet.gateway.keys import ClientIdentityKey, SharedKey, x25519_public

CLIENT = ClientIdentityKey(b"c" * 32)
GATEWAY = ClientIdentityKey(b"g" * 32)


def pair(
    *, version: int = 6, gateway_version: int = 6, seed: int = 1
) -> tuple[ClientHandshake, GatewayHandshake]:
    random = Random(seed)
    client = ClientHandshake(
        CLIENT,
        NodeIdentity(GATEWAY.public_key),
        protocol_version=version,
        random_bytes=random.randbytes,
    )
    gateway = GatewayHandshake(
        GATEWAY, protocol_version=gateway_version, random_bytes=random.randbytes
    )
    return client, gateway


@given(st.integers(), st.integers(4, 6), st.integers(4, 6))
def test_agreement(seed: int, version: int, gateway_version: int) -> None:
    client, gateway = pair(version=version, gateway_version=gateway_version, seed=seed)
    third = client.receive(gateway.receive(client.start()))
    assert third is not None
    assert not client.is_finished
    assert not gateway.is_finished
    with pytest.raises(GatewayProtocolError, match="not finished"):
        _ = client.shared_key
    assert client.receive(gateway.receive(third)) is None
    assert client.shared_key == gateway.shared_key
    assert client.protocol_version == gateway.protocol_version == min(version, gateway_version)
    assert gateway.client_identity == CLIENT.public_key


@given(st.integers(0, 3), st.data())
def test_one_changed_byte(step: int, choice: st.DataObject) -> None:
    """Whatever byte an attacker changes, nobody ends up with a key that the other has not.

    The salt, the ephemeral keys and the sealed signatures are all covered, if only indirectly.
    """
    client, gateway = pair()
    message: HandshakePayload | None = client.start()
    sides: tuple[ClientHandshake | GatewayHandshake, ...] = (gateway, client, gateway, client)
    for index, side in enumerate(sides):
        assert message is not None
        if index == step:
            data = bytearray(message.data)
            position = choice.draw(st.integers(0, len(data) - 1))
            data[position] ^= choice.draw(st.integers(1, 255))
            message = HandshakePayload(message.protocol_version, bytes(data))
        try:
            message = side.receive(message)
        except NymError:
            assert side.failure_reply is not None
            assert not (client.is_finished and gateway.is_finished)
            return
    # The top bit of an X25519 key is ignored by the multiplication but covered by the signatures.
    pytest.fail("a changed handshake went through")


@given(
    st.lists(
        st.one_of(
            st.builds(HandshakePayload, st.integers(0, 255), st.binary(max_size=130)),
            st.builds(
                HandshakePayload,
                st.integers(0, 255),
                st.sampled_from([1, 80, 92, 124]).flatmap(
                    lambda length: st.binary(min_size=length, max_size=length)
                ),
            ),
            st.builds(HandshakeError, st.text(max_size=10)),
        ),
        max_size=3,
    )
)
def test_never_crashes(messages: list[HandshakePayload | HandshakeError]) -> None:
    sides: tuple[ClientHandshake | GatewayHandshake, ...] = pair()
    for side in sides:
        for message in messages:
            try:
                side.receive(message)
            except (GatewayProtocolError, GatewayRefused):
                assert side.failure_reply is not None
                parse_handshake_text(side.failure_reply.encode())
            assert not side.is_finished


@pytest.mark.parametrize("version", [0, 3, 7, 255])
def test_unsupported_version(version: int) -> None:
    client, gateway = pair()
    second = gateway.receive(client.start())
    with pytest.raises(GatewayProtocolError, match="choose another gateway"):
        client.receive(HandshakePayload(version, second.data))
    assert client.failure_reply is not None
    assert f"it wants to use v{version}" in client.failure_reply.message


@pytest.mark.parametrize("status", [0, 2, 255])
def test_gateway_does_not_confirm(status: int) -> None:
    client, gateway = pair()
    client.receive(gateway.receive(client.start()))
    with pytest.raises(GatewayRefused):
        client.receive(HandshakePayload(6, bytes((status,))))


@pytest.mark.parametrize("length", [64, 79, 81, 96])
def test_sizes_of_older_protocols(length: int) -> None:
    """Without a salt the first message has 64 bytes; such peers are refused by length."""
    _, gateway = pair()
    with pytest.raises(GatewayProtocolError, match="speaks another protocol"):
        gateway.receive(HandshakePayload(2, CLIENT.public_key.ljust(length, b"x")))


def test_client_identity_that_is_none() -> None:
    _, gateway = pair()
    with pytest.raises(GatewayProtocolError, match="no Ed25519"):
        gateway.receive(HandshakePayload(6, b"\x02" + bytes(31) + b"x" * 48))


def test_remote_error_is_shown_safely() -> None:
    client, _ = pair()
    with pytest.raises(GatewayRefused) as caught:
        client.receive(HandshakeError("no\x1b[2J\nway" + "y" * 1000))
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert printable("a" * 301).endswith("…")


@given(st.integers(0, 2**64 - 1), st.integers(0, 255), st.binary(min_size=12, max_size=12))
def test_authentication(second: int, version: int, nonce: bytes) -> None:
    key = SharedKey(b"k" * 32)
    request = build_authentication(
        CLIENT, key, protocol_version=version, unix_timestamp=second, nonce=nonce
    )
    assert len(request.signed_bytes()) == 101
    assert request_signature_is_valid(request)
    assert address_ciphertext_is_valid(request, key)
    assert not address_ciphertext_is_valid(request, SharedKey(b"o" * 32))


@pytest.mark.parametrize(
    ("difference", "acceptable"),
    [(0, True), (120, True), (-120, True), (120.5, False), (-120.5, False), (300, False)],
)
def test_skew(difference: float, acceptable: bool) -> None:
    request = build_authentication(
        CLIENT, SharedKey(b"k" * 32), protocol_version=6, unix_timestamp=1000, nonce=bytes(12)
    )
    assert timestamp_is_acceptable(request, 1000 + difference) is acceptable


@pytest.mark.parametrize("role", ["client", "gateway"])
def test_an_ephemeral_key_that_gives_no_secret_is_refused(role: str) -> None:
    client, gateway = pair()
    first = client.start()
    if role == "gateway":
        data = CLIENT.public_key + bytes(32) + first.data[64:]
        with pytest.raises(GatewayProtocolError):
            gateway.receive(HandshakePayload(6, data))
        assert gateway.failure_reply is not None
        return
    reply = gateway.receive(first)
    with pytest.raises(GatewayProtocolError):
        client.receive(HandshakePayload(6, bytes(32) + reply.data[32:]))
    assert client.failure_reply is not None


@pytest.mark.parametrize("length", [0, 31, 33])
def test_private_keys_have_32_bytes(length: int) -> None:
    with pytest.raises(ConfigurationError, match=f"not {length}"):
        x25519_public(bytes(length))
