"""Encrypting fragments for their recipient (nym-sphinx 1.21.6, src/preparer/payload.rs and
src/receiver.rs; nym-crypto 1.21.6, src/shared_key.rs and src/hkdf.rs).

Nothing authenticates this layer: Sphinx protects the payload on its way, and a wrong key only gives
bytes that are no fragment. Vectors: tests/vectors/pipeline.json, ``regular_payloads`` and
``reply_payloads``.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import RuntimeError as SodiumRuntimeError

from nymproxy.errors import AddressError, MessageFormatError
from nymproxy.mixnet.messages._layout import KEY_MATERIAL_LENGTH, REPLY_KEY_LENGTH

if TYPE_CHECKING:
    from nymproxy.mixnet.messages.acks import SurbAck
    from nymproxy.mixnet.randomness import RandomBytes

# Every key encrypts one fragment (or the retransmissions of one), so the IV can be fixed. The
# counter of the Rust cipher has 64 bits; with this IV that makes no difference.
_ZERO_IV = CTR(bytes(16))


def _hmac_blake3(key: bytes) -> hmac.HMAC:
    # The class does what hmac asks of a hash; only its stub gives update() another signature.
    return hmac.new(key, digestmod=blake3)  # type: ignore[arg-type]


_ABSENT_SALT = _hmac_blake3(bytes(32))


def derive_payload_key(shared_secret: bytes) -> bytes:
    """Return the AES-128 key of an X25519 shared secret.

    HKDF (RFC 5869) over HMAC with plain BLAKE3 as the hash, without salt and info, 16 bytes. It is
    not BLAKE3's own derive-key mode.
    """
    extract = _ABSENT_SALT.copy()
    extract.update(shared_secret)
    expand = _hmac_blake3(extract.digest())
    expand.update(b"\x01")
    return expand.digest()[:16]


def reply_key_digest(reply_key: bytes) -> bytes:
    """Return the 32 bytes by which a reply names its key."""
    return blake3(reply_key).digest()


def apply_payload_key(key: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt a fragment with AES-128-CTR."""
    return Cipher(AES(key), _ZERO_IV).encryptor().update(data)


def seal_fragment(
    fragment: bytes, surb_ack: SurbAck, recipient_encryption_key: bytes, random_bytes: RandomBytes
) -> bytes:
    """Encrypt a fragment to a known recipient, under a key of its own.

    Args:
        fragment: the whole fragment, header included.
        surb_ack: the ack that the recipient's gateway sends off.
        recipient_encryption_key: the X25519 key of the recipient's address, 32 bytes.
        random_bytes: source of the ephemeral key.

    Returns:
        The Sphinx plaintext: ack block (405) || ephemeral public key (32) || ciphertext.

    Raises:
        AddressError: nothing can be encrypted to this key (a point of small order).
    """
    ephemeral = random_bytes(32)
    try:
        shared_secret = crypto_scalarmult(ephemeral, recipient_encryption_key)
    except SodiumRuntimeError as error:
        raise AddressError("nothing can be encrypted to the key in the address") from error
    ciphertext = apply_payload_key(derive_payload_key(shared_secret), fragment)
    return b"".join((surb_ack.block, crypto_scalarmult_base(ephemeral), ciphertext))


def seal_reply_fragment(fragment: bytes, surb_ack: SurbAck, reply_key: bytes) -> bytes:
    """Encrypt a fragment to the creator of a reply SURB.

    Args:
        fragment: the whole fragment, header included.
        surb_ack: the ack that the recipient's gateway sends off.
        reply_key: the encryption key that came with the SURB, 16 bytes.

    Returns:
        The Sphinx plaintext: ack block (405) || digest of the key (32) || ciphertext.
    """
    if len(reply_key) != REPLY_KEY_LENGTH:
        raise MessageFormatError(f"a reply key has {REPLY_KEY_LENGTH} bytes, not {len(reply_key)}")
    ciphertext = apply_payload_key(reply_key, fragment)
    return b"".join((surb_ack.block, reply_key_digest(reply_key), ciphertext))


def open_fragment(pushed: bytes, encryption_private_key: bytes) -> bytes:
    """Decrypt ``ephemeral public key (32) || ciphertext``, as the gateway pushes it.

    Returns:
        What should be a fragment; garbage if it was encrypted to another key.

    Raises:
        MessageFormatError: too short, or an ephemeral key of small order.
    """
    if len(pushed) < KEY_MATERIAL_LENGTH:
        raise MessageFormatError("a pushed message is shorter than its key material")
    try:
        shared_secret = crypto_scalarmult(encryption_private_key, pushed[:KEY_MATERIAL_LENGTH])
    except SodiumRuntimeError as error:
        raise MessageFormatError("a pushed message has an ephemeral key of small order") from error
    return apply_payload_key(derive_payload_key(shared_secret), pushed[KEY_MATERIAL_LENGTH:])
