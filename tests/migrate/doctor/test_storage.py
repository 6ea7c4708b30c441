"""The config directory: one that a Rust client made, and what can be wrong with it."""

from __future__ import annotations

import os
import sqlite3
import stat
import tarfile
from pathlib import Path

import pytest

from nymproxy_migrate.doctor import storage
from nymproxy_migrate.doctor.model import Verdict

ARCHIVE = Path(__file__).resolve().parents[2] / "vectors" / "rust_config_dir.tar"
GATEWAYS = storage.DATABASES[storage.REGISTRATIONS]
REPLIES = storage.DATABASES[storage.REPLY_STORE]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    (found,) = tmp_path.iterdir()
    for name in (*storage.PRIVATE, *storage.PUBLIC, GATEWAYS):
        (found / name).chmod(0o600)
    return found


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in folder.iterdir()
        if path.is_file()
    }


def verdicts(folder: Path) -> dict[str, Verdict]:
    checks = [
        storage.check_key_files(folder),
        *(storage.check_database(folder, name) for name in storage.DATABASES),
        storage.read_address(folder)[0],
    ]
    return {check.name: check.verdict for check in checks}


def test_a_folder_of_a_rust_client(folder: Path) -> None:
    before = snapshot(folder)
    assert set(verdicts(folder).values()) == {Verdict.OK}
    check, address = storage.read_address(folder)
    assert address is not None
    assert str(address) not in check.detail
    assert len(check.detail) < 40
    assert snapshot(folder) == before


def test_a_folder_below_the_current_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker stands elsewhere."""
    monkeypatch.chdir(folder.parent)
    assert set(verdicts(Path(folder.name)).values()) == {Verdict.OK}


def test_an_empty_folder(tmp_path: Path) -> None:
    assert verdicts(tmp_path) == {
        "key-files": Verdict.WARN,
        "gateway-database": Verdict.OK,
        "reply-database": Verdict.OK,
        "nym-address": Verdict.WARN,
    }


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_wrong_modes(folder: Path, mode: int) -> None:
    (folder / "ack_key.pem").chmod(mode)
    (folder / "public_identity.pem").chmod(0o644)
    check = storage.check_key_files(folder)
    assert check.verdict is Verdict.FAIL
    assert f"ack_key.pem ({mode:04o})" in check.cause
    assert "public" not in check.cause
    assert check.next == f"chmod 600 {folder}/ack_key.pem"
    os.chmod(folder / "ack_key.pem", 0o600)
    assert storage.check_key_files(folder).verdict is Verdict.OK


def test_a_database_that_others_can_read(folder: Path) -> None:
    (folder / GATEWAYS).chmod(0o644)
    check = storage.check_database(folder, storage.REGISTRATIONS)
    assert check.verdict is Verdict.WARN
    assert check.next == f"chmod 600 {folder / GATEWAYS}"


@pytest.mark.parametrize("name", [*storage.PRIVATE, *storage.PUBLIC])
def test_a_missing_key(folder: Path, name: str) -> None:
    (folder / name).unlink()
    check = storage.check_key_files(folder)
    assert check.verdict is Verdict.FAIL
    assert name in check.cause
    assert "backup" in check.next


def test_keys_without_a_gateway(folder: Path) -> None:
    (folder / GATEWAYS).unlink()
    found = verdicts(folder)
    assert found["gateway-database"] is Verdict.WARN
    assert found["nym-address"] is Verdict.WARN


def tear(path: Path) -> None:
    """Leave the first page, lose the others: what a crash in the middle of a copy leaves."""
    path.write_bytes(path.read_bytes()[:4096] + b"\x00" * 4096)


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [tear, garbage, emptied])
def test_torn_databases(folder: Path, spoil: object) -> None:
    assert callable(spoil)
    for name in (GATEWAYS, REPLIES):
        spoil(folder / name)
    before = snapshot(folder)
    gateways = storage.check_database(folder, storage.REGISTRATIONS)
    assert gateways.verdict is Verdict.FAIL
    assert gateways.next.endswith(f"restore {GATEWAYS} from a backup")
    assert storage.check_database(folder, storage.REPLY_STORE).verdict is Verdict.WARN
    assert storage.read_address(folder)[0].verdict is Verdict.FAIL
    assert snapshot(folder) == before


def test_a_database_in_use(folder: Path) -> None:
    """Rows that are in the log only are seen, and nothing beside the database changes."""
    path = folder / GATEWAYS
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE another (a)")
        connection.commit()
        before = snapshot(folder)
        assert Path(f"{path}-wal").stat().st_size > 0
        assert storage.check_database(folder, storage.REGISTRATIONS).verdict is Verdict.OK
        assert snapshot(folder) == before
    finally:
        connection.close()


def test_no_folder(tmp_path: Path) -> None:
    assert storage.check_config_dir(None, None).verdict is Verdict.SKIPPED
    assert storage.check_config_dir(tmp_path, None).verdict is Verdict.OK
    file = tmp_path / "file"
    file.write_text("")
    assert storage.check_config_dir(file, None).cause == "it is no folder"


def test_where_the_old_programs_kept_it(tmp_path: Path) -> None:
    (tmp_path / "srv nym").mkdir()
    check = storage.check_config_dir(Path("/srv nym"), str(tmp_path))
    assert check.verdict is Verdict.FAIL
    assert check.next.endswith(f"--config-dir '{tmp_path}/srv nym'")
