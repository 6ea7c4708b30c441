"""nymproxy.mixnet.storage.registrations: databases of several ages, read and written."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from nymproxy.address import NodeIdentity
from nymproxy.errors import StorageError
from nymproxy.mixnet.storage import GatewayRegistration
from nymproxy.mixnet.storage.registrations import (
    DATABASE_NAME,
    read_gateways,
    save_registration,
)
from nymproxy.mixnet.storage.schema import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path


def gateway(number: int) -> NodeIdentity:
    return NodeIdentity(bytes(SigningKey(Random(number).randbytes(32)).verify_key))


def registration(number: int, key: bytes | None = None) -> GatewayRegistration:
    return GatewayRegistration(
        identity=gateway(number),
        shared_key=key or bytes([number]) * 32,
        listener="ws://127.0.0.1:9000",
        fallback=None,
        expiry_ns=1_800_000_000_123_456_789,
        registered_ns=1_700_000_000_000_000_001,
    )


def execute(directory: Path, *statements: str) -> None:
    connection = sqlite3.connect(directory / DATABASE_NAME)
    for statement in statements:
        connection.executescript(statement)
    connection.close()


def test_round_trip(tmp_path: Path) -> None:
    assert read_gateways(tmp_path) is None
    save_registration(tmp_path, registration(1))
    save_registration(tmp_path, registration(2))
    known = read_gateways(tmp_path)
    assert known is not None
    assert known.active == str(gateway(2))
    assert len(known.gateways) == 2
    stored = known.active_registration()
    assert stored == replace(registration(2), listener="ws://127.0.0.1:9000/")
    assert [path.name for path in tmp_path.iterdir()] == [DATABASE_NAME]
    assert (tmp_path / DATABASE_NAME).stat().st_mode & 0o777 == 0o600


def test_new_key_keeps_the_rest(tmp_path: Path) -> None:
    save_registration(tmp_path, registration(1))
    save_registration(tmp_path, registration(2))
    save_registration(tmp_path, replace(registration(2), shared_key=b"n" * 32))
    known = read_gateways(tmp_path)
    assert known is not None
    keys = {
        entry.identity_text: entry.registration.shared_key
        for entry in known.gateways
        if entry.registration is not None
    }
    assert keys == {str(gateway(1)): b"\x01" * 32, str(gateway(2)): b"n" * 32}
    stored = known.active_registration()
    assert stored is not None
    assert stored.registered_ns == registration(2).registered_ns
    with pytest.raises(StorageError):
        save_registration(tmp_path, replace(registration(2), shared_key=b"short"))


def test_new_listeners_keep_the_registration_time(tmp_path: Path) -> None:
    save_registration(tmp_path, registration(1))
    moved = replace(
        registration(1),
        listener="wss://example.org/",
        fallback="ws://192.0.2.1:9000",
        registered_ns=5,
    )
    save_registration(tmp_path, moved)
    known = read_gateways(tmp_path)
    assert known is not None
    stored = known.active_registration()
    assert stored is not None
    assert (stored.listener, stored.fallback) == ("wss://example.org/", "ws://192.0.2.1:9000/")
    assert stored.registered_ns == registration(1).registered_ns


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_write_into_a_database_with_a_log(tmp_path: Path, journal: str) -> None:
    save_registration(tmp_path, registration(1))
    execute(tmp_path, f"PRAGMA journal_mode = {journal}")
    save_registration(tmp_path, registration(2))
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    assert connection.execute("PRAGMA journal_mode").fetchone() == (journal,)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_rows_in_the_log_only(tmp_path: Path) -> None:
    """As a killed process leaves it: the writer never closed, the main file is behind."""
    save_registration(tmp_path, registration(1))
    writer = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
    writer.execute("PRAGMA journal_mode = wal")
    writer.execute("UPDATE remote_gateway_details SET derived_aes256_gcm_siv_key = ?", (b"w" * 32,))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    known = read_gateways(tmp_path)
    assert known is not None
    stored = known.active_registration()
    assert stored is not None
    assert stored.shared_key == b"w" * 32
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    writer.close()


OLD_DETAILS = """
DROP TABLE remote_gateway_details;
CREATE TABLE remote_gateway_details
(
    gateway_id_bs58 TEXT NOT NULL UNIQUE PRIMARY KEY REFERENCES registered_gateway,
    gateway_owner_address TEXT,
    gateway_listener TEXT NOT NULL,
    derived_aes128_ctr_blake3_hmac_keys_bs58 TEXT{more}
);
INSERT INTO registered_gateway VALUES ('{identity}', 1700000000, 'remote');
INSERT INTO remote_gateway_details(gateway_id_bs58, gateway_listener{names})
    VALUES ('{identity}', 'ws://192.0.2.9:9000/'{values});
UPDATE active_gateway SET active_gateway_id_bs58 = '{identity}';
"""


def old_database(directory: Path, more: str, names: str, values: str) -> None:
    execute(directory, SCHEMA)
    identity = str(gateway(1))
    execute(directory, OLD_DETAILS.format(more=more, names=names, values=values, identity=identity))


@pytest.mark.parametrize(
    ("more", "names", "values", "key"),
    [
        ("", "", "", None),
        (", derived_aes256_gcm_siv_key BLOB", "", "", None),
        (
            ", derived_aes256_gcm_siv_key BLOB",
            ", derived_aes256_gcm_siv_key",
            f", x'{'6b' * 32}'",
            b"k" * 32,
        ),
    ],
    ids=["before September 2024", "never upgraded", "before November 2025"],
)
def test_older_schemas(
    tmp_path: Path, more: str, names: str, values: str, key: bytes | None
) -> None:
    """Old columns are read by name, and the first write makes a current database."""
    old_database(tmp_path, more, names, values)
    known = read_gateways(tmp_path)
    assert known is not None
    stored = known.active_registration()
    assert stored is not None
    assert stored.shared_key == key
    assert stored.listener == "ws://192.0.2.9:9000/"
    assert stored.expiry_ns == 0
    assert stored.registered_ns == 1_700_000_000_000_000_000

    save_registration(tmp_path, replace(stored, shared_key=b"n" * 32))
    known = read_gateways(tmp_path)
    assert known is not None
    renewed = known.active_registration()
    assert renewed == replace(stored, shared_key=b"n" * 32)
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    versions = connection.execute("SELECT count(*), min(success) FROM _sqlx_migrations").fetchone()
    connection.close()
    assert versions == (5, 1)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("DELETE FROM active_gateway", "which gateway is active"),
        ("DROP TABLE registered_gateway", "no usable gateway database"),
        ("UPDATE remote_gateway_details SET derived_aes256_gcm_siv_key = x'00'", "32 bytes"),
        ("UPDATE remote_gateway_details SET derived_aes256_gcm_siv_key = 'text'", "another type"),
        ("UPDATE remote_gateway_details SET fallback_listener = x'00'", "is no text"),
        ("UPDATE remote_gateway_details SET expiration_timestamp = 'soon'", "unknown form"),
        (
            "PRAGMA foreign_keys = OFF; UPDATE registered_gateway SET gateway_id_bs58 = 'x';"
            "UPDATE remote_gateway_details SET gateway_id_bs58 = 'x'",
            "identity that is none",
        ),
    ],
)
def test_damaged_databases(tmp_path: Path, statement: str, complaint: str) -> None:
    save_registration(tmp_path, registration(1))
    execute(tmp_path, statement)
    with pytest.raises(StorageError, match=complaint):
        read_gateways(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM remote_gateway_details",
        "UPDATE registered_gateway SET gateway_type = 'custom'",
        "UPDATE active_gateway SET active_gateway_id_bs58 = 'elsewhere'",
    ],
)
def test_unusable_active_gateway(tmp_path: Path, statement: str) -> None:
    save_registration(tmp_path, registration(1))
    execute(tmp_path, f"PRAGMA foreign_keys = OFF; {statement}")
    known = read_gateways(tmp_path)
    assert known is not None
    with pytest.raises(StorageError, match="active gateway"):
        known.active_registration()


def test_no_active_gateway(tmp_path: Path) -> None:
    save_registration(tmp_path, registration(1))
    execute(tmp_path, "UPDATE active_gateway SET active_gateway_id_bs58 = NULL")
    known = read_gateways(tmp_path)
    assert known is not None
    assert known.active_registration() is None
    save_registration(tmp_path, registration(1))
    known = read_gateways(tmp_path)
    assert known is not None
    assert known.active == str(gateway(1))


@given(st.binary(max_size=5000))
def test_never_crashes_on_anything(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("database")
    (directory / DATABASE_NAME).write_bytes(content)
    with pytest.raises(StorageError):
        read_gateways(directory)
