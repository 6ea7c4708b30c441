"""nymproxy.mixnet.storage.key_files: all five or none, and nobody else may read them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random
from typing import NoReturn

import pytest

from nymproxy._atomic_write import temporary_of
from nymproxy.errors import StorageError, UnsafePermissions
from nymproxy.mixnet.storage import ClientKeys
from nymproxy.mixnet.storage.key_files import (
    KEY_FILES,
    check_public_keys,
    finish_interrupted_write,
    present_key_files,
    read_keys,
    write_keys,
)

KEYS = ClientKeys.generate(Random(1).randbytes)
OTHER_KEYS = ClientKeys.generate(Random(2).randbytes)


def leftovers(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.suffix != ".pem")


def test_round_trip(tmp_path: Path) -> None:
    assert read_keys(tmp_path) is None
    write_keys(tmp_path, KEYS)
    assert read_keys(tmp_path) == KEYS
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        file.name for file in KEY_FILES
    )
    for file in KEY_FILES:
        assert (tmp_path / file.name).stat().st_mode & 0o777 == 0o600
    write_keys(tmp_path, KEYS)  # the same ones again: nothing to do
    with pytest.raises(StorageError, match="already holds other keys"):
        write_keys(tmp_path, OTHER_KEYS)
    assert read_keys(tmp_path) == KEYS


@pytest.mark.parametrize("file", KEY_FILES, ids=lambda file: file.name)
def test_missing_file(tmp_path: Path, file: object) -> None:
    assert file in KEY_FILES
    write_keys(tmp_path, KEYS)
    name = KEY_FILES[KEY_FILES.index(file)].name
    (tmp_path / name).unlink()
    with pytest.raises(StorageError, match=f"lacks {name}: restore from a backup"):
        read_keys(tmp_path)
    with pytest.raises(StorageError, match="lacks"):
        write_keys(tmp_path, KEYS)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o601])
@pytest.mark.parametrize("file", KEY_FILES, ids=lambda file: file.name)
def test_permissions(tmp_path: Path, file: object, mode: int) -> None:
    write_keys(tmp_path, KEYS)
    key_file = KEY_FILES[KEY_FILES.index(file)]
    (tmp_path / key_file.name).chmod(mode)
    if not key_file.is_private:
        assert read_keys(tmp_path) == KEYS
        return
    with pytest.raises(UnsafePermissions, match=r"chmod 600 '.*pem'"):
        read_keys(tmp_path)
    check_public_keys(tmp_path, KEYS.identity_public, KEYS.encryption_public)


@pytest.mark.parametrize("name", ["public_identity.pem", "public_encryption.pem"])
def test_foreign_public_key(tmp_path: Path, name: str) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory, keys in ((ours, KEYS), (theirs, OTHER_KEYS)):
        directory.mkdir()
        write_keys(directory, keys)
    (ours / name).write_bytes((theirs / name).read_bytes())
    with pytest.raises(StorageError, match="does not belong to its private key"):
        read_keys(ours)


def test_oversized_file(tmp_path: Path) -> None:
    write_keys(tmp_path, KEYS)
    (tmp_path / "ack_key.pem").write_bytes(b"x" * 100_000)
    with pytest.raises(StorageError, match="larger than"):
        read_keys(tmp_path)


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("survived_renames", range(len(KEY_FILES) + 1))
def test_crash_between_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived_renames: int
) -> None:
    """Whatever rename a crash comes before, the next start finds all files or none."""
    real_replace = Path.replace
    done = 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal done
        if done == survived_renames:
            raise Crash
        done += 1
        return real_replace(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    if survived_renames < len(KEY_FILES):
        with pytest.raises(Crash):
            write_keys(tmp_path, KEYS)
    else:
        write_keys(tmp_path, KEYS)
    monkeypatch.undo()
    assert len(present_key_files(tmp_path)) == survived_renames

    finish_interrupted_write(tmp_path)
    assert leftovers(tmp_path) == []
    assert read_keys(tmp_path) == (KEYS if survived_renames else None)


@pytest.mark.parametrize("survived_writes", range(len(KEY_FILES)))
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived_writes: int) -> None:
    real_fsync = os.fsync
    done = 0

    def fsync(descriptor: int) -> None:
        nonlocal done
        if done == survived_writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        done += 1
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match="free some space"):
        write_keys(tmp_path, KEYS)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    write_keys(tmp_path, KEYS)
    assert read_keys(tmp_path) == KEYS


def test_stale_temporaries_are_discarded(tmp_path: Path) -> None:
    """Half-written temporaries beside complete keys never replace them."""
    write_keys(tmp_path, KEYS)
    for file in KEY_FILES[:2]:
        temporary_of(tmp_path / file.name).write_bytes(b"half")
    finish_interrupted_write(tmp_path)
    assert leftovers(tmp_path) == []
    assert read_keys(tmp_path) == KEYS


def test_system_errors_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(tmp_path, KEYS)

    def refuse(*_arguments: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match="run as the owner"):
        read_keys(tmp_path)


def test_keys_of_wrong_length() -> None:
    with pytest.raises(StorageError):
        ClientKeys(b"short", b"x" * 32, b"y" * 16)


def test_repr_holds_no_secret() -> None:
    for secret in (KEYS.identity_seed, KEYS.encryption_private, KEYS.ack_key):
        assert repr(secret) not in repr(KEYS)
