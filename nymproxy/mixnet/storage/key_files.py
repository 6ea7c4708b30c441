"""The five key files of a client directory, in the layout of nym-client-core 1.21.6.

The private ones may be under a passphrase, as nym-client-core 2.0.0 keeps them.

A Rust client that misses one of them makes five new ones, and the address is gone. So they are
written all or none: first complete under temporary names, then renamed; a crash between two
renames is finished by the next start.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from nymproxy._atomic_write import sync_directory, temporary_of, write_atomically, write_synced
from nymproxy.errors import StorageError, UnsafePermissions
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.storage.encrypted_keys import decrypt_key, encrypt_key
from nymproxy.mixnet.storage.files import (
    read_small_file,
    storage_errors,
)
from nymproxy.mixnet.storage.model import ACK_KEY_BYTES, ClientKeys
from nymproxy.mixnet.storage.pem import ENCRYPTED, decode_pem, encode_pem, is_encrypted

if TYPE_CHECKING:
    from pathlib import Path


class KeyFile(NamedTuple):
    """One of the five."""

    name: str
    tag: str
    length: int
    is_private: bool


PRIVATE_IDENTITY = KeyFile("private_identity.pem", "ED25519 PRIVATE KEY", 32, True)
PUBLIC_IDENTITY = KeyFile("public_identity.pem", "ED25519 PUBLIC KEY", 32, False)
PRIVATE_ENCRYPTION = KeyFile("private_encryption.pem", "X25519 PRIVATE KEY", 32, True)
PUBLIC_ENCRYPTION = KeyFile("public_encryption.pem", "X25519 PUBLIC KEY", 32, False)
ACK_KEY = KeyFile("ack_key.pem", "AES-128-CTR ACKNOWLEDGEMENTS KEY", ACK_KEY_BYTES, True)

KEY_FILES = (PRIVATE_IDENTITY, PUBLIC_IDENTITY, PRIVATE_ENCRYPTION, PUBLIC_ENCRYPTION, ACK_KEY)


def _values(keys: ClientKeys) -> dict[KeyFile, bytes]:
    return {
        PRIVATE_IDENTITY: keys.identity_seed,
        PUBLIC_IDENTITY: keys.identity_public,
        PRIVATE_ENCRYPTION: keys.encryption_private,
        PUBLIC_ENCRYPTION: keys.encryption_public,
        ACK_KEY: keys.ack_key,
    }


def _content(file: KeyFile, value: bytes, passphrase: str | None) -> bytes:
    if passphrase is None or not file.is_private:
        return encode_pem(file.tag, value)
    encrypted = encrypt_key(passphrase, value, system_random_bytes)
    return encode_pem(ENCRYPTED + file.tag, encrypted)


def read_key_file(
    directory: Path, file: KeyFile, passphrase: str | None = None, *, check_mode: bool = True
) -> bytes:
    """Read one key, encrypted or not.

    Raises:
        UnsafePermissions: a private key that others can read (unless ``check_mode`` is off).
        StorageError: it cannot be read, or is no such key.
    """
    path = directory / file.name
    if file.is_private and check_mode:
        with storage_errors("read", path):
            mode = path.stat().st_mode
        if mode & 0o077:
            raise UnsafePermissions(
                f"{path} can be used by others than its owner: run  chmod 600 '{path}'"
            )
    try:
        decrypt = partial(_decrypted, passphrase) if file.is_private else None
        return decode_pem(read_small_file(path), file.tag, file.length, decrypt)
    except StorageError as error:
        raise StorageError(f"{path}: {error}") from error


def _decrypted(passphrase: str | None, data: bytes) -> bytes:
    if passphrase is None:
        raise StorageError(
            "the key is encrypted: give the passphrase with --key-passphrase-file, or in "
            "NYM_CLIENT_KEY_PASSPHRASE"
        )
    return decrypt_key(passphrase, data)


def present_key_files(directory: Path) -> tuple[KeyFile, ...]:
    """Return those of the five that are there."""
    with storage_errors("look into", directory):
        return tuple(file for file in KEY_FILES if (directory / file.name).exists())


def read_keys(directory: Path, passphrase: str | None = None) -> ClientKeys | None:
    """Read the five files; None when there is none of them.

    Args:
        directory: where they are.
        passphrase: opens those of the private ones that are encrypted.

    Raises:
        UnsafePermissions: a private key that others can read.
        StorageError: some are missing or damaged, or a public key does not belong to its private
            key.
    """
    present = present_key_files(directory)
    if not present:
        return None
    missing = [file.name for file in KEY_FILES if file not in present]
    if missing:
        raise StorageError(
            f"{directory} lacks {', '.join(missing)}: restore from a backup. Do not start a Rust "
            "client there: it would make new keys, and the address would be lost"
        )
    keys = ClientKeys(
        read_key_file(directory, PRIVATE_IDENTITY, passphrase),
        read_key_file(directory, PRIVATE_ENCRYPTION, passphrase),
        read_key_file(directory, ACK_KEY, passphrase),
    )
    pairs = ((PUBLIC_IDENTITY, keys.identity_public), (PUBLIC_ENCRYPTION, keys.encryption_public))
    for file, derived in pairs:
        if read_key_file(directory, file) != derived:
            raise StorageError(
                f"{directory / file.name} does not belong to its private key: "
                "restore the right files from a backup"
            )
    return keys


def read_public_keys(directory: Path) -> tuple[bytes, bytes]:
    """Read the two public keys, identity and encryption; the private ones are not needed.

    Raises:
        StorageError: one is missing or damaged.
    """
    missing = [
        file.name
        for file in (PUBLIC_IDENTITY, PUBLIC_ENCRYPTION)
        if file not in present_key_files(directory)
    ]
    if missing:
        raise StorageError(f"{directory} holds no client: it lacks {', '.join(missing)}")
    return read_key_file(directory, PUBLIC_IDENTITY), read_key_file(directory, PUBLIC_ENCRYPTION)


def _temporary(directory: Path, file: KeyFile) -> Path:
    return temporary_of(directory / file.name)


def has_encrypted_keys(directory: Path) -> bool:
    """Tell whether a private key that is there is under a passphrase.

    Raises:
        StorageError: one cannot be read.
    """
    private = [file for file in present_key_files(directory) if file.is_private]
    return any(is_encrypted(read_small_file(directory / file.name)) for file in private)


def encrypt_present_keys(directory: Path, keys: ClientKeys, passphrase: str) -> bool:
    """Put those private keys under the passphrase that are not encrypted, one file after the other.

    Returns:
        Whether there were any.

    Raises:
        StorageError: it cannot be done.
    """
    values, found = _values(keys), False
    for file in (PRIVATE_IDENTITY, PRIVATE_ENCRYPTION, ACK_KEY):
        path = directory / file.name
        if not is_encrypted(read_small_file(path)):
            found = True
            with storage_errors("write", path):
                write_atomically(path, _content(file, values[file], passphrase))
    return found


def write_keys(directory: Path, keys: ClientKeys, passphrase: str | None = None) -> None:
    """Write the five files, all or none; the private ones under the passphrase, if there is one.

    Raises:
        StorageError: other keys, or some of the files, are there already; or writing failed.
    """
    if present_key_files(directory):
        if read_keys(directory, passphrase) != keys:
            raise StorageError(f"{directory} already holds other keys: use another directory")
        return
    with storage_errors("write keys into", directory):
        try:
            for file, value in _values(keys).items():
                write_synced(_temporary(directory, file), _content(file, value, passphrase))
        except OSError:
            _discard_temporaries(directory)
            raise
        sync_directory(directory)
        _rename_all(directory)


def _rename_all(directory: Path) -> None:
    for file in KEY_FILES:
        temporary = _temporary(directory, file)
        if temporary.exists():
            temporary.replace(directory / file.name)
    sync_directory(directory)


def _discard_temporaries(directory: Path) -> None:
    for file in KEY_FILES:
        with contextlib.suppress(OSError):
            _temporary(directory, file).unlink(missing_ok=True)


def is_write_interrupted(directory: Path) -> bool:
    """Tell whether a crash left temporary files that :func:`finish_interrupted_write` ends."""
    return any(_temporary(directory, file).exists() for file in KEY_FILES)


def finish_interrupted_write(directory: Path) -> None:
    """Complete, or undo, what a crash interrupted. Call while nobody else uses the directory.

    All temporaries are complete before the first rename. So when some of the five are there, the
    temporaries of the others are good; when none is, nobody has seen the new keys yet.

    Raises:
        StorageError: it cannot be done.
    """
    waiting = [file for file in KEY_FILES if _temporary(directory, file).exists()]
    if not waiting:
        return
    present = present_key_files(directory)
    with storage_errors("finish writing keys into", directory):
        if (
            present
            and set(present) | set(waiting) == set(KEY_FILES)
            and not (set(present) & set(waiting))
        ):
            _rename_all(directory)
        else:
            _discard_temporaries(directory)


def check_public_keys(directory: Path, identity: bytes, encryption: bytes) -> None:
    """Check public keys against the private ones, as far as those are there and readable.

    Raises:
        StorageError: they do not belong together.
    """
    keys: list[bytes] = []
    for file in (PRIVATE_IDENTITY, PRIVATE_ENCRYPTION, ACK_KEY):
        try:
            keys.append(read_key_file(directory, file, check_mode=False))
        except StorageError:
            return
    derived = ClientKeys(*keys)
    if (derived.identity_public, derived.encryption_public) != (identity, encryption):
        raise StorageError(
            f"the public keys in {directory} do not belong to the private ones: "
            "restore the right files from a backup"
        )
