"""Key material of a route: from one secret and the nodes' public keys to each hop's keys.

Derivation of sphinx-packet 0.6.0 (src/header/keys.rs, src/payload/key.rs); vectors:
tests/vectors/sphinx.json, ``packets`` and ``payload_key_derivation``.

The crate multiplies each node's key by every blinding factor before it, 11 multiplications for 4
hops. :func:`expand_route` does with one for each hop, see :func:`clamped_equivalent`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._curve25519 import x25519_is_on_twist
from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx.constants import (
    EXPANDED_SECRET_LENGTH,
    PAYLOAD_KEY_LENGTH,
    PAYLOAD_KEY_SEED_LENGTH,
)
from nymproxy.mixnet.sphinx.primitives import ALL_ZERO_SECRET, hkdf, x25519, x25519_base

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPANSION_INFO = (
    b"Dwste mou enan moxlo arketa makru kai ena upomoxlio gia na ton topothetisw"
    b" kai tha kinisw thn gh."
)
PAYLOAD_KEY_SALT = b"sphinx-payload-key-V01-CS01-HKDF:SHA256-SALT"
PAYLOAD_KEY_INFO = b"sphinx-payload-key-V01-CS01-HKDF:SHA256-INFO"

# Areas of an expanded shared secret.
STREAM_KEY = slice(0, 16)
MAC_KEY = slice(16, 32)
PAYLOAD_KEY = slice(32, 32 + PAYLOAD_KEY_LENGTH)
PAYLOAD_KEY_SEED = slice(32, 32 + PAYLOAD_KEY_SEED_LENGTH)
BLINDING_FACTOR = slice(224, 256)
REPLAY_TAG = slice(256, EXPANDED_SECRET_LENGTH)

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
_GROUP_ORDER_INVERSE_MOD_8 = pow(GROUP_ORDER, -1, 8)
_CLAMP_CLEAR = (1 << 255) - 8
_CLAMP_SET = 1 << 254


def expand_secret(shared_secret: bytes, length: int = EXPANDED_SECRET_LENGTH) -> bytes:
    """Expand a hop's shared secret; the areas of the result are the slices of this module.

    A sender asks for fewer bytes: it has no use for the replay tag, nor for the last hop's
    blinding factor.
    """
    return hkdf(shared_secret, b"", EXPANSION_INFO, length)


def derive_payload_key(seed: bytes) -> bytes:
    """Derive the 192-byte payload key of one hop from its 16-byte seed (versions from 259 on)."""
    return hkdf(seed, PAYLOAD_KEY_SALT, PAYLOAD_KEY_INFO, PAYLOAD_KEY_LENGTH)


def payload_key(material: bytes) -> bytes:
    """Return the payload key of one hop, given the key itself or its seed."""
    return material if len(material) == PAYLOAD_KEY_LENGTH else derive_payload_key(material)


def clamp(scalar: bytes) -> int:
    """Return the integer that X25519 multiplies by."""
    return int.from_bytes(scalar, "little") & _CLAMP_CLEAR | _CLAMP_SET


def clamped_equivalent(scalar: int) -> bytes | None:
    """Find a clamped scalar that multiplies u-coordinates as ``scalar`` does on the prime group.

    X25519 sees u-coordinates only, so the sign of a scalar is invisible to it. Of s and -s modulo
    the group order, exactly one has a multiple of 8 with bit 254 as its highest among its
    representatives s + t * order, 0 <= t < 8. Being a multiple of 8, as every clamped factor is, it
    also removes a small-order component of a point as the chain of factors does.

    Returns:
        32 bytes, or ``None`` where neither sign works (probability near 2^-124).
    """
    for residue in (scalar % GROUP_ORDER, -scalar % GROUP_ORDER):
        lift = -residue * _GROUP_ORDER_INVERSE_MOD_8 % 8
        candidate = residue + lift * GROUP_ORDER
        if candidate >> 254 == 1:
            return candidate.to_bytes(32, "little")
    return None


def multiply_unclamped(scalar: bytes, point: bytes) -> bytes:
    """Multiply a point of the prime group by a scalar modulo its order, without clamping.

    This is the blinding of the legacy versions. For a scalar without a clamped equivalent the
    product is taken in two steps.
    """
    value = int.from_bytes(scalar, "little") % GROUP_ORDER
    if value == 0:
        return ALL_ZERO_SECRET
    equivalent = clamped_equivalent(value)
    if equivalent is None:
        point = x25519(_CLAMP_SET.to_bytes(32, "little"), point)
        equivalent = clamped_equivalent(value * pow(_CLAMP_SET, -1, GROUP_ORDER))
        assert equivalent is not None  # whatever the scalar; tests/sphinx/test_keys.py shows it
    return x25519(equivalent, point)


def multiply_chain(factors: Sequence[bytes], point: bytes) -> bytes:
    """Multiply a point by each factor in turn, as the crate does: the literal form."""
    for factor in factors:
        point = x25519(factor, point)
    return point


def expand_route(
    public_keys: Sequence[bytes], initial_secret: bytes, last_length: int = EXPANDED_SECRET_LENGTH
) -> tuple[bytes, list[bytes]]:
    """Derive the expanded secrets of all hops with one multiplication for each.

    Args:
        public_keys: the nodes' X25519 keys, in route order.
        initial_secret: 32 uniformly random bytes, used for this packet only.
        last_length: how many bytes the last hop's secret needs.

    Returns:
        Alpha (32 bytes) and the expanded secrets; all but the last have 256 bytes.

    Raises:
        SphinxError: a key has small order, so that its secret is no secret (``UNUSABLE_KEY``).
    """
    factors = [initial_secret]
    product = clamp(initial_secret)
    multiplier: bytes | None = initial_secret
    expanded: list[bytes] = []
    last = len(public_keys) - 1
    for index, key in enumerate(public_keys):
        # On the twist the group has another order, so the short form would give another secret.
        if multiplier is None or (index and x25519_is_on_twist(key)):
            shared = multiply_chain(factors, key)
        else:
            shared = x25519(multiplier, key)
        if shared == ALL_ZERO_SECRET:
            raise SphinxError(
                SphinxErrorKind.UNUSABLE_KEY,
                f"the key of hop {index + 1} has small order: leave this node out of routes",
            )
        if index == last:
            expanded.append(expand_secret(shared, last_length))
            break
        secret = expand_secret(shared, BLINDING_FACTOR.stop)
        expanded.append(secret)
        factors.append(secret[BLINDING_FACTOR])
        product = product * clamp(factors[-1]) % GROUP_ORDER
        multiplier = clamped_equivalent(product)
    return x25519_base(initial_secret), expanded
