"""nymproxy.mixnet.storage: both places to keep a client, through their common interface."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.address import NymAddress
from nymproxy.errors import StorageError, StorageLocked, UnsafePermissions
from nymproxy.mixnet.storage import ClientKeys, ClientStorage, StoredClient
from nymproxy.mixnet.storage.directory import DirectoryStorage, nym_address_of
from nymproxy.mixnet.storage.ephemeral import EphemeralStorage
from nymproxy.mixnet.storage.key_files import KEY_FILES, write_keys
from nymproxy.mixnet.storage.locking import LOCK_NAME
from nymproxy.mixnet.storage.own_state import STATE_NAME, read_state
from nymproxy.mixnet.storage.registrations import DATABASE_NAME, save_registration
from tests.storage.test_registrations import registration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEYS = ClientKeys.generate(Random(3).randbytes)
OTHER_KEYS = ClientKeys.generate(Random(4).randbytes)


@pytest.fixture(params=["ephemeral", "directory"])
def make_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], ClientStorage]:
    ephemeral = EphemeralStorage()
    if request.param == "ephemeral":
        return lambda: ephemeral
    return lambda: DirectoryStorage(tmp_path / "deep" / "client")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_life_of_a_client(make_storage: Callable[[], ClientStorage]) -> None:
    storage = make_storage()
    assert await storage.load() is None
    await storage.save_keys(KEYS)
    assert await storage.load() == StoredClient(KEYS, None, 0)
    await storage.save_registration(registration(1))
    await storage.save_last_authentication(1_800_000_000)
    await storage.save_registration(replace(registration(1), shared_key=b"k" * 32))
    with pytest.raises(StorageError, match="other keys"):
        await storage.save_keys(OTHER_KEYS)
    await storage.close()
    await storage.close()

    storage = make_storage()
    client = await storage.load()
    assert client is not None
    assert client.keys == KEYS
    assert client.last_authentication == 1_800_000_000
    assert client.registration is not None
    assert client.registration.shared_key == b"k" * 32
    assert client.registration.identity == registration(1).identity
    await storage.close()


async def test_files_of_a_new_client(tmp_path: Path) -> None:
    """Nothing but the Rust layout and our own two files; no backup of what is ours."""
    directory = tmp_path / "client"
    storage = DirectoryStorage(directory)
    await storage.save_keys(KEYS)
    await storage.save_registration(registration(1))
    await storage.save_last_authentication(7)
    await storage.close()
    own = [DATABASE_NAME, LOCK_NAME, STATE_NAME]
    assert names(directory) == sorted([*(file.name for file in KEY_FILES), *own])
    assert mode_of(directory) == 0o700
    assert {mode_of(directory / name) for name in names(directory)} == {0o600}
    address = nym_address_of(directory)
    assert address == NymAddress(
        KEYS.identity_public, KEYS.encryption_public, registration(1).identity
    )


async def test_backup_once(tmp_path: Path) -> None:
    """Taking over makes one backup; so does coming back after a Rust client ran again."""
    write_keys(tmp_path, KEYS)
    save_registration(tmp_path, registration(1))
    for reply_store in (b"first", None, b"second"):
        if reply_store is not None:
            for suffix in ("", "-wal", "-shm"):
                write(tmp_path / f"persistent_reply_store.sqlite{suffix}", reply_store)
        storage = DirectoryStorage(tmp_path)
        assert await storage.load() is not None
        await storage.save_last_authentication(1)
        await storage.save_registration(replace(registration(1), shared_key=b"n" * 32))
        await storage.close()
    backups = [name for name in names(tmp_path) if name.startswith("nymproxy_backup_")]
    assert len(backups) == 2
    assert {mode_of(tmp_path / name) for name in backups} == {0o700}
    stores = {read(tmp_path / name / "persistent_reply_store.sqlite-wal") for name in backups}
    assert stores == {b"first", b"second"}
    assert not [name for name in names(tmp_path) if name.startswith("persistent_reply_store")]


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def read(path: Path) -> bytes:
    return path.read_bytes()


async def test_loading_changes_nothing(tmp_path: Path) -> None:
    write_keys(tmp_path, KEYS)
    save_registration(tmp_path, registration(1))
    write(tmp_path / "persistent_reply_store.sqlite", b"rows")
    before = names(tmp_path)
    storage = DirectoryStorage(tmp_path)
    await storage.load()
    await storage.close()
    assert names(tmp_path) == sorted([*before, LOCK_NAME])


async def test_lock_within_a_process(tmp_path: Path) -> None:
    first, second = DirectoryStorage(tmp_path), DirectoryStorage(tmp_path)
    await first.load()
    with pytest.raises(StorageLocked, match="another client uses"):
        await second.load()
    await first.close()
    await second.load()
    with pytest.raises(StorageLocked):
        await first.save_keys(KEYS)
    await second.close()


async def test_close_in_a_cancelled_scope(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path)
    await storage.load()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await storage.close()
    again = DirectoryStorage(tmp_path)
    await again.load()
    await again.close()


async def test_lock_between_processes(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path)
    await storage.save_keys(KEYS)
    assert try_lock_elsewhere(tmp_path) == "StorageLocked"
    await storage.close()
    assert try_lock_elsewhere(tmp_path) == "free"


def try_lock_elsewhere(directory: Path) -> str:
    code = (
        "import sys, pathlib\n"
        "from nymproxy.errors import StorageError\n"
        "from nymproxy.mixnet.storage.locking import DirectoryLock\n"
        "try:\n"
        "    DirectoryLock(pathlib.Path(sys.argv[1])).acquire()\n"
        "    print('free')\n"
        "except StorageError as error:\n"
        "    print(type(error).__name__)\n"
    )
    command = [sys.executable, "-c", code, str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


async def test_unsafe_permissions(tmp_path: Path) -> None:
    write_keys(tmp_path, KEYS)
    (tmp_path / "private_identity.pem").chmod(0o644)
    storage = DirectoryStorage(tmp_path)
    with pytest.raises(UnsafePermissions, match="chmod 600"):
        await storage.load()
    await storage.close()


async def test_readable_database_is_accepted_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_keys(tmp_path, KEYS)
    save_registration(tmp_path, registration(1))
    (tmp_path / DATABASE_NAME).chmod(0o644)
    storage = DirectoryStorage(tmp_path)
    with caplog.at_level(logging.WARNING, "nymproxy.storage"):
        assert await storage.load() is not None
    assert "can be read by others" in caplog.text
    await storage.close()


async def test_registration_without_keys(tmp_path: Path) -> None:
    save_registration(tmp_path, registration(1))
    storage = DirectoryStorage(tmp_path)
    with pytest.raises(StorageError, match="no keys"):
        await storage.load()
    await storage.close()


async def test_a_file_is_no_directory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"")
    with pytest.raises(StorageError, match="no directory"):
        await DirectoryStorage(path).load()
    with pytest.raises(StorageError, match="cannot create"):
        await DirectoryStorage(path / "below").load()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"text"', b'{"last_authentication": "x"}', b"[" * 60000, b"\xff", b"{}"],
)
def test_damaged_state(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / STATE_NAME, content)
    state = read_state(tmp_path)
    assert state is not None
    assert state.last_authentication == 0


def test_address_complaints(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no directory"):
        nym_address_of(tmp_path / "nowhere")
    with pytest.raises(StorageError, match=r"holds no client: it lacks public_identity\.pem"):
        nym_address_of(tmp_path)
    write_keys(tmp_path, KEYS)
    with pytest.raises(StorageError, match="chosen no gateway yet"):
        nym_address_of(tmp_path)
    save_registration(tmp_path, registration(1))
    assert nym_address_of(str(tmp_path)).gateway == registration(1).identity
    (tmp_path / "private_identity.pem").unlink()  # an address needs only the public ones
    assert nym_address_of(tmp_path).gateway == registration(1).identity


def test_address_of_mixed_up_keys(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory, keys in ((ours, KEYS), (theirs, OTHER_KEYS)):
        directory.mkdir()
        write_keys(directory, keys)
        save_registration(directory, registration(1))
    write(ours / "public_identity.pem", read(theirs / "public_identity.pem"))
    with pytest.raises(StorageError, match="do not belong"):
        nym_address_of(ours)
