"""The checks of a request to authenticate, with recorded requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nymproxy.localnet.gateway_admission import Refusal, check_authentication
from nymproxy.localnet.gateway_store import GatewayStore
from nymproxy.mixnet.gateway import SharedKey, parse_request
from nymproxy.mixnet.gateway.requests import AuthenticateV2
from tests.vectors.files import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VECTORS = load("gateway.json")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GatewayStore]:
    store = GatewayStore(tmp_path / "gateway.sqlite")
    yield store
    store.close()


def _request(case: dict[str, Any]) -> AuthenticateV2:
    request = parse_request(case["json"])
    assert isinstance(request, AuthenticateV2)
    return request


def _verdict(request: AuthenticateV2, store: GatewayStore, unix_time: float) -> str | SharedKey:
    try:
        return check_authentication(request, store, unix_time)
    except Refusal as refusal:
        return refusal.text * (refusal.times == 2)


@pytest.mark.parametrize("case", VECTORS["authenticate_v2"], ids=lambda case: case["json"][24:46])
def test_recorded_requests(case: dict[str, Any], store: GatewayStore) -> None:
    request = _request(case)
    key = SharedKey(bytes.fromhex(case["shared_key"]))
    now = float(request.unix_timestamp)
    supported = 4 <= request.protocol_version <= 6
    if not supported:
        assert "incompatible protocol version" in str(_verdict(request, store, now))
        return
    assert _verdict(request, store, now) == "the client is not registered"
    store.register(request.client_identity, key.to_bytes())
    assert _verdict(request, store, now) == key
    assert _verdict(request, store, now + 120) == key
    assert "skewed" in str(_verdict(request, store, now + 120.5))
    store.record_authentication(request.client_identity, request.unix_timestamp - 1)
    assert _verdict(request, store, now) == key
    store.record_authentication(request.client_identity, request.unix_timestamp)
    assert "smaller or equal" in str(_verdict(request, store, now))


@pytest.mark.parametrize("case", VECTORS["authenticate_v2_checks"], ids=lambda case: case["name"])
def test_tampered_requests(case: dict[str, Any], store: GatewayStore) -> None:
    request = _request(case)
    store.register(request.client_identity, bytes.fromhex(VECTORS["shared_key"]))
    verdict = _verdict(request, store, float(request.unix_timestamp))
    if not case["signature_ok"]:
        assert verdict == "failed to verify request signature"
    elif not case["ciphertext_ok"]:
        assert verdict == "failed to verify provided address ciphertext"
    else:
        assert isinstance(verdict, SharedKey)
