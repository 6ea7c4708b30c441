"""Two questions about points of Curve25519 that no library answers the way the network does.

No secret passes through here: both functions look at public keys only.
"""

from __future__ import annotations

from functools import lru_cache

_P = 2**255 - 19
_LOW_255_BITS = 2**255 - 1
_ED25519_D = -121665 * pow(121666, -1, _P) % _P
_MONTGOMERY_A = 486662


def _is_square(value: int) -> bool:
    return value == 0 or pow(value, (_P - 1) // 2, _P) == 1


@lru_cache(maxsize=4096)
def ed25519_decompresses(key: bytes) -> bool:
    """Tell whether 32 bytes are the compressed form of a point of the Edwards curve.

    curve25519-dalek accepts every y whose (y^2 - 1) / (d*y^2 + 1) is a square; libsodium's check
    also rejects small-order points, so it would refuse addresses that the network accepts.
    """
    y = (int.from_bytes(key, "little") & _LOW_255_BITS) % _P
    numerator = (y * y - 1) % _P
    denominator = (_ED25519_D * y * y + 1) % _P
    return _is_square(numerator * pow(denominator, -1, _P) % _P)


@lru_cache(maxsize=4096)
def x25519_is_on_twist(key: bytes) -> bool:
    """Tell whether a u-coordinate belongs to the quadratic twist (no honest node key does).

    True iff u^3 + A*u^2 + u is not a square modulo p. For such a key the short form of the Sphinx
    key derivation gives other bytes than the literal chain.
    """
    u = (int.from_bytes(key, "little") & _LOW_255_BITS) % _P
    return not _is_square((u * u * u + _MONTGOMERY_A * u * u + u) % _P)
