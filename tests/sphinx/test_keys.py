"""The short derivation gives the same bytes as the literal chain, for whatever keys."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nymproxy._curve25519 import x25519_is_on_twist
from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx import keys as keys_module
from nymproxy.mixnet.sphinx.keys import (
    GROUP_ORDER,
    clamp,
    clamped_equivalent,
    derive_payload_key,
    expand_route,
    expand_secret,
    multiply_unclamped,
    payload_key,
)
from nymproxy.mixnet.sphinx.primitives import x25519, x25519_base
from tests.sphinx.routes import expand_route_literally, keys

SMALL_ORDER_KEYS = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
]


def check_against_the_literal_chain(public_keys: list[bytes], secret: bytes) -> None:
    alpha, expanded = expand_route(public_keys, secret)
    literal_alpha, literal = expand_route_literally(public_keys, secret)
    assert alpha == literal_alpha
    assert [len(short) for short in expanded[:-1]] == [256] * (len(public_keys) - 1)
    assert expanded == [full[: len(short)] for full, short in zip(literal, expanded, strict=True)]


@given(st.lists(keys, min_size=1, max_size=5), keys)
def test_honest_keys(private_keys: list[bytes], secret: bytes) -> None:
    check_against_the_literal_chain([x25519_base(key) for key in private_keys], secret)


@given(st.lists(keys, min_size=1, max_size=5), keys)
def test_any_32_bytes(public_keys: list[bytes], secret: bytes) -> None:
    """Half of these are on the twist, and most others have a small-order component."""
    unusable = any(x25519(secret, key) == bytes(32) for key in public_keys)
    if unusable:
        with pytest.raises(SphinxError):
            expand_route(public_keys, secret)
    else:
        check_against_the_literal_chain(public_keys, secret)


@given(st.integers(2, 2**255 - 21), keys)
def test_keys_on_the_twist(u: int, secret: bytes) -> None:
    key = u.to_bytes(32, "little")
    assume(x25519_is_on_twist(key))
    check_against_the_literal_chain([key] * 3, secret)


@given(st.integers(2, 2**255 - 21), keys)
def test_keys_with_a_small_order_component(u: int, secret: bytes) -> None:
    key = u.to_bytes(32, "little")
    assume(not x25519_is_on_twist(key))
    check_against_the_literal_chain([key] * 3, secret)


def test_the_short_form_would_fail_on_the_twist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the fallback is what makes the tests above pass."""
    key = next(
        u.to_bytes(32, "little")
        for u in range(2, 100)
        if x25519_is_on_twist(u.to_bytes(32, "little"))
    )
    monkeypatch.setattr(keys_module, "x25519_is_on_twist", lambda key: False)
    with pytest.raises(AssertionError):
        check_against_the_literal_chain([key] * 2, b"s" * 32)


@given(st.lists(keys, min_size=2, max_size=5), keys)
def test_without_a_clamped_equivalent_the_chain_is_used(
    private_keys: list[bytes], secret: bytes
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys_module, "clamped_equivalent", lambda scalar: None)
        check_against_the_literal_chain([x25519_base(key) for key in private_keys], secret)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("key", SMALL_ORDER_KEYS, ids=bytes.hex)
def test_small_order_keys_are_unusable(key: bytes, position: int) -> None:
    route = [x25519_base(bytes([i]) * 32) for i in range(1, 5)]
    route[position] = key
    with pytest.raises(SphinxError, match=f"hop {position + 1} ") as caught:
        expand_route(route, b"x" * 32)
    assert caught.value.kind is SphinxErrorKind.UNUSABLE_KEY


@given(st.integers(1, GROUP_ORDER - 1))
def test_clamped_equivalent(scalar: int) -> None:
    found = clamped_equivalent(scalar)
    assume(found is not None)
    assert found is not None
    value = int.from_bytes(found, "little")
    assert value == clamp(found)
    assert value % GROUP_ORDER in (scalar, GROUP_ORDER - scalar)


@pytest.mark.parametrize("scalar", [0, 8, 16, GROUP_ORDER - 8])
def test_some_scalars_have_no_clamped_equivalent(scalar: int) -> None:
    assert clamped_equivalent(scalar) is None


@given(keys, keys)
def test_unclamped_multiplication_by_a_clamped_scalar(scalar: bytes, private_key: bytes) -> None:
    point = x25519_base(private_key)
    reduced = (clamp(scalar) % GROUP_ORDER).to_bytes(32, "little")
    assert multiply_unclamped(reduced, point) == x25519(scalar, point)


@pytest.mark.parametrize("small", [8, 16, 8 * 12345])
def test_unclamped_multiplication_without_clamped_equivalent(small: int) -> None:
    point, scalar = x25519_base(b"k" * 32), 0xABCDEF
    in_two_steps = multiply_unclamped(
        small.to_bytes(32, "little"), multiply_unclamped(scalar.to_bytes(32, "little"), point)
    )
    assert in_two_steps == multiply_unclamped((small * scalar).to_bytes(32, "little"), point)


def test_unclamped_multiplication_by_zero() -> None:
    order = GROUP_ORDER.to_bytes(32, "little")
    assert multiply_unclamped(order, x25519_base(b"k" * 32)) == bytes(32)


@given(keys, st.integers(1, 288))
def test_shorter_expansions_are_prefixes(secret: bytes, length: int) -> None:
    assert expand_secret(secret, length) == expand_secret(secret)[:length]


def test_payload_key_takes_seeds_and_keys() -> None:
    seed, key = b"s" * 16, b"k" * 192
    assert payload_key(seed) == derive_payload_key(seed)
    assert len(payload_key(seed)) == 192
    assert payload_key(key) is key


def test_two_steps_are_enough_for_every_scalar() -> None:
    """No scalar without a clamped equivalent lacks one still when it is divided by 2^254.

    Without one are the multiples of 8 from -8c to 8c, where the order is 2^252 + c. Were s and
    t = s / 2^254 both of them, t = 8k with k < c in size, s would be 32kc modulo the order, up to
    sign: so near to m times the order for a whole m, and so one of the few tried here.
    """
    c = GROUP_ORDER - 2**252
    for scalar in (8 * c // 8 * 8 - 8, 8 * (c // 2)):
        assert clamped_equivalent(scalar) is None
        assert clamped_equivalent(-scalar) is None
    assert clamped_equivalent((8 * c // 8 + 1) * 8) is not None
    tried = 0
    for multiple in range(-(32 * c * c // GROUP_ORDER) - 1, 32 * c * c // GROUP_ORDER + 2):
        nearest = multiple * GROUP_ORDER // (32 * c)
        for k in range(nearest - 1, nearest + 3):
            quotient = 8 * k
            if clamped_equivalent(quotient) is None and k:
                assert clamped_equivalent(quotient * 2**254) is not None
                tried += 1
    assert tried > 10


def test_a_route_of_no_hops_has_no_secrets() -> None:
    secret = b"s" * 32
    assert expand_route([], secret) == (x25519_base(secret), [])
