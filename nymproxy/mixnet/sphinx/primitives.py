"""The cryptographic building blocks of Sphinx, as pure functions on bytes.

Each is one call of a library, chosen by measurement; nothing is implemented here. They behave as
in sphinx-packet 0.6.0 and lioness 0.1.2; vectors: tests/vectors/sphinx.json, ``keystream``,
``header_mac``, ``shared_secret_expansion``.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import RuntimeError as SodiumRuntimeError

from nymproxy.mixnet.sphinx.constants import KEYSTREAM_LENGTH, MAC_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers import CipherContext

ALL_ZERO_SECRET = bytes(32)

_SHA256 = SHA256()
_AES_ZERO_COUNTER = CTR(bytes(16))
_CHACHA_ZERO_NONCE = bytes(16)  # 8 bytes of block counter, 8 of nonce
_KEYSTREAM_INPUT = bytes(KEYSTREAM_LENGTH)


def find_context_maker() -> Callable[[AES | ChaCha20, CTR | None], CipherContext]:
    """Return what makes the context of a stream cipher from an algorithm and a mode.

    ``Cipher`` asks five times whether its arguments are what they are, each time through an
    abstract base class: for the thirty contexts of a packet a tenth of a millisecond, most of it
    with cold caches. What it calls in the end is no public name, hence the look first.
    """
    try:
        from cryptography.hazmat.bindings._rust import openssl

        return openssl.ciphers.create_encryption_ctx
    except (ImportError, AttributeError):
        return lambda algorithm, mode: Cipher(algorithm, mode).encryptor()


_context_of = find_context_maker()


def aes_ctr(key: bytes, data: bytes) -> bytes:
    """XOR ``data`` with the AES key stream from a zero counter block."""
    return _context_of(AES(key), _AES_ZERO_COUNTER).update(data)


class AesCtr:
    """An AES key that is used with many counter blocks: another one costs a third of a context."""

    __slots__ = ("_context",)

    def __init__(self, key: bytes) -> None:
        self._context = Cipher(AES(key), _AES_ZERO_COUNTER).encryptor()

    def apply(self, counter: bytes, data: bytes) -> bytes:
        """XOR ``data`` with the key stream from a counter block of 16 bytes."""
        self._context.reset_nonce(counter)
        return self._context.update(data)


def x25519(scalar: bytes, point: bytes) -> bytes:
    """Multiply as in RFC 7748 (clamped at use); a small-order point gives 32 zero bytes.

    libsodium refuses an all-zero result, while the network's nodes go on with it, so the refusal is
    turned back into the result. Senders compare with :data:`ALL_ZERO_SECRET`.
    """
    try:
        return crypto_scalarmult(scalar, point)
    except SodiumRuntimeError:
        return ALL_ZERO_SECRET


def x25519_base(scalar: bytes) -> bytes:
    """Multiply the base point, u = 9: the public key of a private one."""
    return crypto_scalarmult_base(scalar)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869); an empty salt stands for 32 zero bytes."""
    return HKDF(_SHA256, length, salt, info).derive(secret)


def keystream(key: bytes) -> bytes:
    """Return the 360 bytes of AES-128-CTR key stream from a zero counter."""
    return aes_ctr(key, _KEYSTREAM_INPUT)


def chacha(key: bytes, data: bytes) -> bytes:
    """XOR ``data`` with the ChaCha20 key stream of a zero nonce, from block 0."""
    return _context_of(ChaCha20(key, _CHACHA_ZERO_NONCE), None).update(data)


def blake2b(key: bytes, data: bytes) -> bytes:
    """Return the 32-byte BLAKE2b digest in keyed mode, ``key`` of up to 64 bytes."""
    return hashlib.blake2b(data, digest_size=32, key=key).digest()


def hmac16(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA256 cut to the 16 bytes of a header MAC."""
    return hmac.digest(key, data, "sha256")[:MAC_LENGTH]


def xor(left: bytes, right: bytes) -> bytes:
    """XOR two byte strings of the same length, as integers: much faster than byte by byte."""
    number = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    return number.to_bytes(len(left), "little")
