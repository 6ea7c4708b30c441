"""Encrypting fragments for their recipient (nym-sphinx 1.21.6, src/preparer/payload.rs and
src/receiver.rs; nym-crypto 1.21.6, src/shared_key.rs and src/hkdf.rs).

Nothing authenticates this layer: Sphinx protects the payload on its way, and a wrong key only gives
bytes that are no fragment. Vectors: tests/vectors/pipeline.json, ``regular_payloads`` and
``reply_payloads``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blake3 import blake3
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import RuntimeError as SodiumRuntimeError

from nymproxy.errors import AddressError, MessageFormatError
from nymproxy.mixnet.messages._layout import KEY_MATERIAL_LENGTH, REPLY_KEY_LENGTH
from nymproxy.mixnet.sphinx.primitives import aes_ctr

if TYPE_CHECKING:
    from nymproxy.mixnet.messages.acks import SurbAck
    from nymproxy.mixnet.randomness import RandomBytes


_HASH_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def _hmac_blake3(key: bytes, data: bytes) -> bytes:
    """HMAC (RFC 2104) with plain BLAKE3 as the hash, in four calls of it in place of the dozen
    objects of ``hmac.new``; the key has at most 64 bytes."""
    block = key.ljust(_HASH_BLOCK_BYTES, b"\0")
    inner = blake3(block.translate(_INNER) + data).digest()
    return blake3(block.translate(_OUTER) + inner).digest()


def derive_payload_key(shared_secret: bytes) -> bytes:
    """Return the AES-128 key of an X25519 shared secret.

    HKDF (RFC 5869) over HMAC with plain BLAKE3 as the hash, without salt and info, 16 bytes. It is
    not BLAKE3's own derive-key mode.
    """
    return _hmac_blake3(_hmac_blake3(b"", shared_secret), b"\x01")[:16]


def reply_key_digest(reply_key: bytes) -> bytes:
    """Return the 32 bytes by which a reply names its key."""
    return blake3(reply_key).digest()


def apply_payload_key(key: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt a fragment with AES-128-CTR.

    Every key encrypts one fragment (or the retransmissions of one), so the IV can be fixed. The
    counter of the Rust cipher has 64 bits; with this IV that makes no difference.
    """
    return aes_ctr(key, data)


@dataclass(frozen=True, slots=True, repr=False)
class FragmentKey:
    """The key of one fragment to a known recipient. To be used once.

    Attributes:
        public: the ephemeral public key by which the recipient finds it, 32 bytes.
        secret: the AES-128 key.
    """

    public: bytes
    secret: bytes

    @classmethod
    def draw(cls, recipient_encryption_key: bytes, random_bytes: RandomBytes) -> FragmentKey:
        """Draw a key that the recipient can derive.

        Args:
            recipient_encryption_key: the X25519 key of the recipient's address, 32 bytes.
            random_bytes: source of the ephemeral key.

        Raises:
            AddressError: nothing can be encrypted to this key (a point of small order).
        """
        ephemeral = random_bytes(32)
        try:
            shared_secret = crypto_scalarmult(ephemeral, recipient_encryption_key)
        except SodiumRuntimeError as error:
            raise AddressError("nothing can be encrypted to the key in the address") from error
        return cls(crypto_scalarmult_base(ephemeral), derive_payload_key(shared_secret))


def seal_fragment(fragment: bytes, surb_ack: SurbAck, key: FragmentKey) -> bytes:
    """Encrypt a fragment to a known recipient, under a key of its own.

    Args:
        fragment: the whole fragment, header included.
        surb_ack: the ack that the recipient's gateway sends off.
        key: fresh, for the recipient.

    Returns:
        The Sphinx plaintext: ack block (405) || ephemeral public key (32) || ciphertext.
    """
    return b"".join((surb_ack.block, key.public, apply_payload_key(key.secret, fragment)))


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
