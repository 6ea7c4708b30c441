"""The payload: Lioness layers over a padded block.

Lioness as in lioness 0.1.2, padding as in sphinx-packet 0.6.0 (src/payload/mod.rs); vectors:
tests/vectors/sphinx.json, ``lioness`` and ``build_errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx.constants import PAYLOAD_OVERHEAD, PAYLOAD_ZEROS_LENGTH
from nymproxy.mixnet.sphinx.primitives import blake2b, chacha

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEFT_LENGTH = 32
_MARKER = b"\x01"
_ZEROS = bytes(PAYLOAD_ZEROS_LENGTH)


def lioness_encrypt(key: bytes, block: bytes) -> bytes:
    """Encrypt a block of more than 32 bytes under a 192-byte key.

    Raises:
        SphinxError: the block is too short (``INVALID_PAYLOAD``).
    """
    _check_block(block)
    left = int.from_bytes(block[:_LEFT_LENGTH])
    stream_key = left ^ int.from_bytes(key[0:32])
    right = chacha(stream_key.to_bytes(_LEFT_LENGTH), block[_LEFT_LENGTH:])
    left ^= int.from_bytes(blake2b(key[32:96], right))
    stream_key = left ^ int.from_bytes(key[96:128])
    right = chacha(stream_key.to_bytes(_LEFT_LENGTH), right)
    left ^= int.from_bytes(blake2b(key[128:192], right))
    return left.to_bytes(_LEFT_LENGTH) + right


def lioness_decrypt(key: bytes, block: bytes) -> bytes:
    """Undo :func:`lioness_encrypt`.

    Raises:
        SphinxError: the block is too short (``INVALID_PAYLOAD``).
    """
    _check_block(block)
    right = block[_LEFT_LENGTH:]
    left = int.from_bytes(block[:_LEFT_LENGTH]) ^ int.from_bytes(blake2b(key[128:192], right))
    stream_key = left ^ int.from_bytes(key[96:128])
    right = chacha(stream_key.to_bytes(_LEFT_LENGTH), right)
    left ^= int.from_bytes(blake2b(key[32:96], right))
    stream_key = left ^ int.from_bytes(key[0:32])
    return left.to_bytes(_LEFT_LENGTH) + chacha(stream_key.to_bytes(_LEFT_LENGTH), right)


def seal_payload(plaintext: bytes, payload_length: int, payload_keys: Sequence[bytes]) -> bytes:
    """Pad a plaintext and put one layer on for each hop, the last hop's first.

    Args:
        plaintext: at most ``payload_length - 17`` bytes.
        payload_length: more than 32.
        payload_keys: 192 bytes each, in route order.

    Raises:
        SphinxError: a length that does not fit (``INVALID_PAYLOAD``).
    """
    if len(plaintext) + PAYLOAD_OVERHEAD > payload_length:
        raise SphinxError(
            SphinxErrorKind.INVALID_PAYLOAD,
            f"a plaintext of {len(plaintext)} bytes does not fit a payload of {payload_length}",
        )
    block = (_ZEROS + plaintext + _MARKER).ljust(payload_length, b"\0")
    for key in reversed(payload_keys):
        block = lioness_encrypt(key, block)
    return block


def recover_plaintext(payload: bytes) -> bytes:
    """Remove the padding of a payload whose layers have all been taken off.

    Everything before the *last* marker byte is plaintext; what follows it is not checked, as in
    the crate.

    Raises:
        SphinxError: no leading zeros or no marker: the payload was damaged on its way, or is for
            somebody else (``INVALID_PAYLOAD``).
    """
    end = payload.rfind(_MARKER, PAYLOAD_ZEROS_LENGTH)
    if not payload.startswith(_ZEROS) or end < 0:
        raise SphinxError(
            SphinxErrorKind.INVALID_PAYLOAD, "the payload has no valid padding: drop the packet"
        )
    return payload[PAYLOAD_ZEROS_LENGTH:end]


def _check_block(block: bytes) -> None:
    if len(block) <= _LEFT_LENGTH:
        raise SphinxError(
            SphinxErrorKind.INVALID_PAYLOAD,
            f"a payload has more than {_LEFT_LENGTH} bytes, not {len(block)}",
        )
