"""nymproxy.mixnet.storage.start: what a start would do, told without one."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from nymproxy._atomic_write import temporary_of
from nymproxy.errors import StorageError, UnsafePermissions
from nymproxy.mixnet.storage import ClientKeys
from nymproxy.mixnet.storage.directory import DirectoryStorage, nym_address_of
from nymproxy.mixnet.storage.key_files import (
    ACK_KEY,
    KEY_FILES,
    PRIVATE_IDENTITY,
    PUBLIC_ENCRYPTION,
    PUBLIC_IDENTITY,
    write_keys,
)
from nymproxy.mixnet.storage.registrations import DATABASE_NAME, save_registration
from nymproxy.mixnet.storage.start import StartPreview, preview_start
from tests.storage.test_registrations import registration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEYS = ClientKeys.generate(Random(3).randbytes)
OTHER_KEYS = ClientKeys.generate(Random(4).randbytes)
ENCRYPTED = b"""-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCE
-----END ENCRYPTED PRIVATE KEY-----
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_keys(tmp_path, KEYS)
    save_registration(tmp_path, registration(1))
    return tmp_path


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_client_that_is_there_keeps_its_address(directory: Path) -> None:
    before = contents(directory)
    found = preview_start(directory)
    assert found == StartPreview(True, nym_address_of(directory))
    assert found.gateway == registration(1).identity
    assert contents(directory) == before


def test_nothing_there_makes_something_new(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "such"):
        assert preview_start(path) == StartPreview(False, None)
    assert preview_start(tmp_path).gateway is None
    assert list(tmp_path.iterdir()) == []


def test_keys_without_a_gateway_get_another_address(directory: Path) -> None:
    (directory / DATABASE_NAME).unlink()
    assert preview_start(str(directory)) == StartPreview(True, None)


def truncated(directory: Path) -> None:
    path = directory / PRIVATE_IDENTITY.name
    path.write_bytes(path.read_bytes()[:40])


def emptied(directory: Path) -> None:
    (directory / ACK_KEY.name).write_bytes(b"")


def encrypted(directory: Path) -> None:
    (directory / PRIVATE_IDENTITY.name).write_bytes(ENCRYPTED)


def missing(directory: Path) -> None:
    (directory / PUBLIC_IDENTITY.name).unlink()


def without_keys(directory: Path) -> None:
    for file in KEY_FILES:
        (directory / file.name).unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (truncated, "not the right PEM"),
        (emptied, "not a PEM file"),
        (encrypted, "not the right PEM file"),
        (missing, "lacks public_identity.pem"),
        (without_keys, "registration and no keys"),
    ],
)
async def test_what_a_start_refuses_is_refused_for_the_same_reason(
    directory: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(directory)
    before = contents(directory)
    with pytest.raises(StorageError, match=reason) as told:
        preview_start(directory)
    assert contents(directory) == before
    storage = DirectoryStorage(directory)
    with pytest.raises(StorageError) as refused:
        await storage.load()
    await storage.close()
    assert str(told.value) == str(refused.value)


@pytest.mark.parametrize("name", [PUBLIC_IDENTITY.name, PUBLIC_ENCRYPTION.name])
def test_keys_of_two_clients(directory: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    write_keys(other, OTHER_KEYS)
    (directory / name).write_bytes((other / name).read_bytes())
    with pytest.raises(StorageError, match=f"{name} does not belong to its private key"):
        preview_start(directory)


def test_what_others_can_use_is_refused(directory: Path) -> None:
    (directory / PRIVATE_IDENTITY.name).chmod(0o640)
    with pytest.raises(UnsafePermissions, match="chmod 600"):
        preview_start(directory)
    (directory / PRIVATE_IDENTITY.name).chmod(0o600)
    directory.chmod(0o777)
    with pytest.raises(UnsafePermissions, match="go-w"):
        preview_start(directory)


def test_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="is no directory"):
        preview_start(tmp_path / "file")


def test_an_interrupted_start_is_said(directory: Path) -> None:
    path = directory / PUBLIC_ENCRYPTION.name
    path.rename(temporary_of(path))
    before = contents(directory)
    with pytest.raises(StorageError, match="interrupted while it wrote keys"):
        preview_start(directory)
    assert contents(directory) == before
