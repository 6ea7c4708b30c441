"""nymproxy.mixnet.storage.backup: whole, once, or not at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from nymproxy.errors import StorageError
from nymproxy.mixnet.storage import backup
from nymproxy.mixnet.storage.backup import REPLY_STORE_NAME, back_up, has_reply_store
from nymproxy.mixnet.storage.registrations import DATABASE_NAME

if TYPE_CHECKING:
    from pathlib import Path

KEY_FILE = "private_identity.pem"


@pytest.fixture
def rust_folder(tmp_path: Path) -> Path:
    for name in (KEY_FILE, DATABASE_NAME, REPLY_STORE_NAME, f"{REPLY_STORE_NAME}-wal", "other"):
        (tmp_path / name).write_text(name)
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_keys_are_copied_and_the_reply_store_is_moved(rust_folder: Path) -> None:
    assert has_reply_store(rust_folder)
    target = back_up(rust_folder)
    kept = (KEY_FILE, DATABASE_NAME, REPLY_STORE_NAME, f"{REPLY_STORE_NAME}-wal")
    assert contents(target) == {name: name for name in kept}
    assert target.stat().st_mode & 0o777 == 0o700
    assert contents(rust_folder) == {name: name for name in (KEY_FILE, DATABASE_NAME, "other")}
    assert not has_reply_store(rust_folder)


def test_two_of_one_second_have_two_names(
    rust_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2026, 1, 2, 3, 4, 5, 0, 0, 0)))
    names = [back_up(rust_folder).name for _ in range(2)]
    assert names == ["nymproxy_backup_20260102T030405Z", "nymproxy_backup_20260102T030405Z_1"]
    monkeypatch.setattr(backup, "range", lambda _: range(2), raising=False)
    with pytest.raises(StorageError, match="too many backups"):
        back_up(rust_folder)


def test_one_that_cannot_be_made_leaves_everything(
    rust_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(rust_folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "write_synced", full)
    with pytest.raises(StorageError, match="No space left"):
        back_up(rust_folder)
    assert contents(rust_folder) == before
    assert [path for path in rust_folder.iterdir() if path.is_dir()] == []
