"""pipeline.json: ``recipients`` and ``invalid_recipients``."""

from __future__ import annotations

from typing import Any

import pytest

from nymproxy.address import NymAddress
from nymproxy.errors import AddressError
from tests.vectors.files import load


@pytest.mark.parametrize("case", load("pipeline.json")["recipients"], ids=lambda case: case["text"])
def test_recipients(case: dict[str, Any]) -> None:
    address = NymAddress.parse(case["text"])
    assert address.to_bytes().hex() == case["bytes"]
    assert address.identity.hex() == case["identity"] == case["sphinx_destination_address"]
    assert address.encryption.hex() == case["encryption_key"]
    assert address.gateway.key.hex() == case["gateway"]
    assert str(address) == case["text"]
    assert NymAddress.from_bytes(bytes.fromhex(case["bytes"])) == address


@pytest.mark.parametrize(
    "case", load("pipeline.json")["invalid_recipients"], ids=lambda case: case["text"]
)
def test_invalid_recipients(case: dict[str, Any]) -> None:
    if case["accepted"]:
        NymAddress.parse(case["text"])
    else:
        with pytest.raises(AddressError):
            NymAddress.parse(case["text"])
