"""Private keys under a passphrase: the vector of the Rust crate, and what else may stand there."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import StorageError
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.storage import encrypted_keys
from nymproxy.mixnet.storage.directory import DirectoryStorage, nym_address_of
from nymproxy.mixnet.storage.encrypted_keys import decrypt_key, encrypt_key
from nymproxy.mixnet.storage.identities import KeyDirectory, identity_directory
from nymproxy.mixnet.storage.key_files import (
    has_encrypted_keys,
    read_key_file,
    read_keys,
    write_keys,
)
from nymproxy.mixnet.storage.model import ClientKeys
from nymproxy.mixnet.storage.pem import decode_pem
from tests.vectors.files import load

if TYPE_CHECKING:
    from pathlib import Path

VECTOR = load("encrypted_keys.json")
KEYS = ClientKeys.generate(lambda count: bytes(count))
KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests write costs next to nothing; the vector costs what the format says."""
    monkeypatch.setattr(encrypted_keys, "_COST", (1 << 4, 8, 1))


def test_the_file_of_the_crate_is_read() -> None:
    def decrypt(content: bytes) -> bytes:
        return decrypt_key(VECTOR["passphrase"], content)

    pem = VECTOR["pem"].encode()
    assert decode_pem(pem, VECTOR["tag"], 32, decrypt).hex() == VECTOR["key"]
    with pytest.raises(StorageError, match="the passphrase does not open it"):
        decode_pem(pem, VECTOR["tag"], 32, lambda content: decrypt_key("another", content))
    with pytest.raises(StorageError, match="not the right PEM file"):
        decode_pem(pem, VECTOR["tag"], 32)


def test_with_the_same_salt_and_nonce_ours_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encrypted_keys, "_COST", (1 << 17, 8, 1))
    theirs = base64.b64decode("".join(VECTOR["pem"].splitlines()[1:-1]))
    salt = theirs.partition(b"\x04\x10")[2][:16]
    nonce = theirs.partition(b"\x04\x0c")[2][:12]
    random = {16: salt, 12: nonce}
    assert (
        encrypt_key(VECTOR["passphrase"], bytes.fromhex(VECTOR["key"]), random.__getitem__)
        == theirs
    )


def test_what_is_encrypted_comes_out_again_and_never_twice_the_same() -> None:
    first, second = (encrypt_key("päss", KEY, system_random_bytes) for _ in range(2))
    assert first != second
    assert decrypt_key("päss", first) == decrypt_key("päss", second) == KEY


@pytest.mark.parametrize("content", ["", "30", "3000", "3080", "300430020500", "0400", "300000"])
def test_structures_that_end_too_soon_are_damaged(content: str) -> None:
    with pytest.raises(StorageError, match="damaged"):
        decrypt_key("x", bytes.fromhex(content))


@given(st.binary(max_size=200))
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(StorageError):
        decrypt_key("x", content)


@given(st.integers(0, 130), st.integers(1, 255))
def test_a_changed_byte_never_gives_another_key(place: int, change: int) -> None:
    content = bytearray(encrypt_key("x", KEY, lambda count: bytes(count)))
    content[place % len(content)] ^= change
    with contextlib.suppress(StorageError):
        assert decrypt_key("x", bytes(content)) == KEY


def test_work_that_no_honest_file_asks_for_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encrypted_keys, "_derived", lambda *_: bytes(32))
    for cost in ((1 << 30, 8, 1), (1 << 17, 8, 100), (1000, 8, 1), (1, 8, 1), (1 << 4, 0, 1)):
        monkeypatch.setattr(encrypted_keys, "_COST", cost)
        content = encrypt_key("x", KEY, system_random_bytes)
        with pytest.raises(StorageError, match="more than half a gibibyte"):
            decrypt_key("x", content)


def test_other_schemes_and_odd_numbers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encrypt_key("x", KEY, system_random_bytes)
    with pytest.raises(StorageError, match="in another way than scrypt"):
        decrypt_key("x", content.replace(b"\x2e\x04\x0c", b"\x2f\x04\x0c"))
    monkeypatch.setattr(encrypted_keys, "_COST", (1 << 4, 8))
    with pytest.raises(StorageError, match="damaged"):
        decrypt_key("x", encrypt_key_without_the_last_number())
    monkeypatch.setattr(encrypted_keys, "_COST", (1 << 4, 8, 1))
    monkeypatch.setattr(encrypted_keys, "_NONCE_BYTES", 16)
    odd = encrypt_key("x", KEY, system_random_bytes)
    monkeypatch.setattr(encrypted_keys, "_NONCE_BYTES", 12)
    with pytest.raises(StorageError, match="damaged"):
        decrypt_key("x", odd)


def encrypt_key_without_the_last_number() -> bytes:
    original = encrypted_keys._derived
    encrypted_keys._derived = lambda *_: bytes(32)
    try:
        return encrypt_key("x", KEY, system_random_bytes)
    finally:
        encrypted_keys._derived = original


def test_private_files_are_encrypted_and_public_ones_are_not(tmp_path: Path) -> None:
    write_keys(tmp_path, KEYS, "secret")
    assert has_encrypted_keys(tmp_path)
    encrypted = {path.name for path in tmp_path.iterdir() if b"ENCRYPTED" in path.read_bytes()}
    assert encrypted == {"private_identity.pem", "private_encryption.pem", "ack_key.pem"}
    assert read_keys(tmp_path, "secret") == KEYS
    with pytest.raises(StorageError, match="--key-passphrase-file"):
        read_keys(tmp_path)
    with pytest.raises(StorageError, match="does not open it"):
        read_keys(tmp_path, "wrong")
    write_keys(tmp_path, KEYS, "secret")  # the same ones again: nothing to do


async def test_plain_keys_are_put_under_a_passphrase_at_a_start(tmp_path: Path) -> None:
    write_keys(tmp_path, KEYS)
    assert not has_encrypted_keys(tmp_path)
    for _ in range(2):
        storage = DirectoryStorage(tmp_path, "secret")
        stored = await storage.load()
        await storage.close()
        assert stored is not None
        assert stored.keys == KEYS
        assert has_encrypted_keys(tmp_path)
    with pytest.raises(StorageError, match="no gateway"):
        nym_address_of(tmp_path)  # needs no passphrase, but a gateway


def test_the_identities_of_a_server_are_under_one_passphrase(tmp_path: Path) -> None:
    first = identity_directory(KeyDirectory(tmp_path, "secret"), 0)
    second = identity_directory(first, 1)
    assert (second.passphrase, second.path) == ("secret", tmp_path / "identity-2")
    assert identity_directory(tmp_path, 0).passphrase is None
    assert "secret" not in repr(second)


def test_a_public_key_is_never_taken_for_an_encrypted_one(tmp_path: Path) -> None:
    from nymproxy.mixnet.storage.key_files import PUBLIC_IDENTITY

    write_keys(tmp_path, KEYS)
    path = tmp_path / PUBLIC_IDENTITY.name
    path.write_bytes(path.read_bytes().replace(b"ED25519", b"ENCRYPTED ED25519"))
    with pytest.raises(StorageError, match="not the right PEM file"):
        read_key_file(tmp_path, PUBLIC_IDENTITY, "secret")
