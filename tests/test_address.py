"""Addresses, sender tags and base58."""

from __future__ import annotations

from typing import Any

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from nymproxy import _base58
from nymproxy.address import NodeIdentity, NymAddress, SenderTag, addresses_of
from nymproxy.errors import AddressError

IDENTITY = bytes(SigningKey(bytes(32)).verify_key)


@given(st.binary(max_size=80))
def test_base58_agrees_with_the_published_library(data: bytes) -> None:
    text = base58.b58encode(data).decode()
    assert _base58.encode(data) == text
    assert _base58.decode(text) == data


@given(st.text(max_size=60))
def test_base58_never_crashes(text: str) -> None:
    try:
        data = _base58.decode(text)
    except ValueError:
        return
    assert _base58.encode(data) == text


def test_base58_refuses_long_texts_before_converting_them() -> None:
    with pytest.raises(ValueError, match="longer than"):
        _base58.decode_exactly("2" * 1_000_000, 32)


@given(st.text(max_size=200))
def test_parsing_raises_only_address_errors(text: str) -> None:
    for parse in (NymAddress.parse, NodeIdentity.parse, SenderTag.parse):
        try:
            value = parse(text)
        except AddressError:
            continue
        assert str(value) == text


@given(st.binary(max_size=100))
def test_binary_parsing_raises_only_address_errors(data: bytes) -> None:
    for parse in (NymAddress.from_bytes, NodeIdentity, SenderTag):
        try:
            parse(data)
        except AddressError:
            continue


def test_representations_hide_what_must_not_be_logged() -> None:
    tag = SenderTag(bytes(range(16)))
    assert str(tag) not in repr(tag)
    address = NymAddress(IDENTITY, bytes(32), NodeIdentity(IDENTITY))
    assert repr(address).startswith("NymAddress(")
    assert len(repr(address)) < 20
    assert str(address).partition(".")[0] not in repr(address)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_encryption_key_has_32_bytes(length: int) -> None:
    with pytest.raises(AddressError, match=f"{length} bytes, expected 32"):
        NymAddress(IDENTITY, bytes(length), NodeIdentity(IDENTITY))


def test_an_address_may_be_given_as_text_and_several_as_both() -> None:
    gateway = NodeIdentity(IDENTITY)
    address = NymAddress(IDENTITY, bytes(32), gateway)
    assert NodeIdentity.of(gateway) is gateway
    assert NodeIdentity.of(str(gateway)) == gateway
    assert NymAddress.of(address) is address
    assert addresses_of(str(address)) == addresses_of(address) == (address,)
    assert addresses_of([address, str(address)]) == (address, address)
    assert addresses_of([]) == ()


@pytest.mark.parametrize("form", ["http://{}", "{}/path"])
def test_a_url_is_told_from_an_address_that_is_wrong(form: str) -> None:
    address = NymAddress(IDENTITY, bytes(32), NodeIdentity(IDENTITY))
    with pytest.raises(AddressError, match="plain Nym address"):
        NymAddress.parse(form.format(address))


@pytest.mark.parametrize("value", [None, 5, b"bytes", ["text"]])
def test_what_is_neither_address_nor_text_is_an_address_error(value: Any) -> None:
    for of in (NymAddress.of, NodeIdentity.of, addresses_of):
        with pytest.raises(AddressError):
            of(value)
