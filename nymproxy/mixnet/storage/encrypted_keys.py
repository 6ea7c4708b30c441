"""Private keys under a passphrase, as nym-pemstore 2.0.0 writes them (src/encryption.rs).

A DER ``EncryptedPrivateKeyInfo`` (RFC 5958) with PBES2 (RFC 8018): scrypt (RFC 7914) makes the key
for AES-256-GCM, whose parameter is the nonce alone, and the plaintext is the raw key, no ASN.1. The
PEM tag is that of the plain file with ``ENCRYPTED`` before it. Vector: tests/storage,
``encrypted_keys.json``, made by that crate.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nymproxy.errors import StorageError

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes

_SEQUENCE: Final = 0x30
_OCTETS: Final = 0x04
_INTEGER: Final = 0x02
_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")
_AES_256_GCM: Final = bytes.fromhex("060960864801650304012e")

_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_COST: Final = (1 << 17, 8, 1)
"""N, r and p of scrypt: 128 MiB and some tenths of a second for each file."""
_MAX_WORK_BYTES: Final = 1 << 29


def encrypt_key(passphrase: str, key: bytes, random_bytes: RandomBytes) -> bytes:
    """Return a key under a passphrase."""
    salt, nonce = random_bytes(_SALT_BYTES), random_bytes(_NONCE_BYTES)
    numbers = b"".join(_der(_INTEGER, _signed(number)) for number in _COST)
    kdf = _der(_SEQUENCE, _SCRYPT + _der(_SEQUENCE, _der(_OCTETS, salt) + numbers))
    cipher = _der(_SEQUENCE, _AES_256_GCM + _der(_OCTETS, nonce))
    scheme = _der(_SEQUENCE, _PBES2 + _der(_SEQUENCE, kdf + cipher))
    sealed = AESGCM(_derived(passphrase, salt, *_COST)).encrypt(nonce, key, None)
    return _der(_SEQUENCE, scheme + _der(_OCTETS, sealed))


def decrypt_key(passphrase: str, content: bytes) -> bytes:
    """Return the key.

    Raises:
        StorageError: the passphrase is another one, or this is nothing that we know.
    """
    scheme, sealed = _two(_only(content, _SEQUENCE))
    method, parameters = _two(_only(scheme, _SEQUENCE))
    kdf, cipher = _two(_only(parameters, _SEQUENCE))
    kdf_name, kdf_parameters = _two(_only(kdf, _SEQUENCE))
    cipher_name, nonce = _two(_only(cipher, _SEQUENCE))
    if (method, kdf_name, cipher_name) != (_PBES2, _SCRYPT, _AES_256_GCM):
        raise StorageError("it is encrypted in another way than scrypt and AES-256-GCM")
    salt, *numbers = _parts(_only(kdf_parameters, _SEQUENCE))
    if len(numbers) not in (3, 4):  # the length of the key may follow
        raise StorageError(_DAMAGED)
    cost, block, parallel = (int.from_bytes(_only(each, _INTEGER)) for each in numbers[:3])
    if cost < 2 or cost & (cost - 1) or not 0 < 128 * cost * block * parallel <= _MAX_WORK_BYTES:
        raise StorageError("its passphrase would cost more than half a gibibyte of memory to try")
    key = _derived(passphrase, _only(salt, _OCTETS), cost, block, parallel)
    nonce = _only(nonce, _OCTETS)
    if len(nonce) != _NONCE_BYTES:
        raise StorageError(_DAMAGED)
    try:
        return AESGCM(key).decrypt(nonce, _only(sealed, _OCTETS), None)
    except InvalidTag as error:
        raise StorageError("the passphrase does not open it") from error


def _derived(passphrase: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    room = 2 * _MAX_WORK_BYTES
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=room, dklen=32
    )


# As much of DER as that needs.

_DAMAGED: Final = "a damaged file: it is encrypted, but is no EncryptedPrivateKeyInfo"


def _signed(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)


def _der(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    return bytes((tag, 0x81, size)) + value  # nothing here has 256 bytes


def _first(content: bytes) -> tuple[bytes, bytes]:
    """Split off the first element, with its head."""
    head = 3 if content[1:2] == b"\x81" else 2
    if len(content) < head or (head == 2 and content[1] >= 0x80):
        raise StorageError(_DAMAGED)
    end = head + content[head - 1]
    if len(content) < end:
        raise StorageError(_DAMAGED)
    return content[:end], content[end:]


def _parts(content: bytes) -> list[bytes]:
    parts = []
    while content:
        part, content = _first(content)
        parts.append(part)
    if not parts:
        raise StorageError(_DAMAGED)
    return parts


def _two(content: bytes) -> tuple[bytes, bytes]:
    parts = _parts(content)
    if len(parts) != 2:
        raise StorageError(_DAMAGED)
    return parts[0], parts[1]


def _only(content: bytes, tag: int) -> bytes:
    """Return the value of the one element that this is."""
    element, rest = _first(content)
    if rest or element[0] != tag:
        raise StorageError(_DAMAGED)
    return element[3 if element[1] == 0x81 else 2 :]
