"""Payload for workloads: incompressible, reproducible from a seed, the same bytes on both ends."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

PIECE_BYTES = 65536


class Payload:
    """A stream of bytes that both ends can make, piece by piece, from ``seed``."""

    def __init__(self, seed: int) -> None:
        key = hashlib.sha256(b"nymproxy payload %d" % seed).digest()[:16]
        self._keystream = Cipher(AES(key), CTR(bytes(16))).encryptor()

    def take(self, length: int) -> bytes:
        """Return the next ``length`` bytes."""
        return self._keystream.update(bytes(length))


def payload_bytes(seed: int, length: int) -> bytes:
    """Return the first ``length`` bytes of the payload ``seed``."""
    return Payload(seed).take(length)


def payload_digest(seed: int, length: int) -> str:
    """Return the SHA-256 (hex) of the first ``length`` bytes of the payload ``seed``."""
    payload = Payload(seed)
    digest = hashlib.sha256()
    while length > 0:
        piece = payload.take(min(length, PIECE_BYTES))
        digest.update(piece)
        length -= len(piece)
    return digest.hexdigest()
