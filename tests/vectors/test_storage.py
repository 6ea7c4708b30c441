"""rust_config_dir.tar, and the section ``storage`` of gateway.json: what real Rust clients left."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nymproxy.address import NymAddress
from nymproxy.mixnet.storage import GatewayRegistration
from nymproxy.mixnet.storage.directory import DirectoryStorage, nym_address_of
from nymproxy.mixnet.storage.key_files import KEY_FILES, read_key_file
from nymproxy.mixnet.storage.pem import encode_pem
from nymproxy.mixnet.storage.registrations import DATABASE_NAME, KnownGateway, read_gateways
from tests.vectors.files import VECTORS, load

if TYPE_CHECKING:
    from pathlib import Path

ARCHIVE = VECTORS / "rust_config_dir.tar"


@pytest.fixture
def rust_directory(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    (found,) = tmp_path.iterdir()
    return found


@pytest.fixture
def expected(rust_directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((rust_directory / "expected.json").read_text())
    return content


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def found_in(directory: Path, pattern: str) -> list[Path]:
    return sorted(directory.glob(pattern))


def test_modes_of_key_files() -> None:
    with tarfile.open(ARCHIVE) as archive:
        modes = {member.name.rpartition("/")[2]: member.mode & 0o777 for member in archive}
    assert [modes[file.name] for file in KEY_FILES] == [0o600] * len(KEY_FILES)


def test_pem_files(rust_directory: Path, expected: dict[str, Any]) -> None:
    keys = {
        "private_identity.pem": expected["identity_private_seed_hex"],
        "public_identity.pem": expected["identity_public_hex"],
        "private_encryption.pem": expected["encryption_private_hex"],
        "public_encryption.pem": expected["encryption_public_hex"],
        "ack_key.pem": expected["ack_key_hex"],
    }
    for file in KEY_FILES:
        key = read_key_file(rust_directory, file)
        assert key.hex() == keys[file.name]
        assert encode_pem(file.tag, key) == (rust_directory / file.name).read_bytes()


def test_address_offline(rust_directory: Path, expected: dict[str, Any]) -> None:
    before = snapshot(rust_directory)
    address = nym_address_of(rust_directory)
    assert str(address) == expected["nym_address"]
    assert address.to_bytes().hex() == expected["recipient_bytes_hex"]
    assert address == NymAddress.parse(expected["nym_address"])
    assert snapshot(rust_directory) == before


def check_gateway(gateway: KnownGateway, wanted: dict[str, Any]) -> None:
    assert gateway.identity_text == wanted["gateway_id_bs58"]
    assert gateway.kind == wanted["type"]
    assert str(gateway.registered_ns) == wanted["registered_unix_nanos"]
    if wanted["shared_key_hex"] is None:
        assert gateway.registration is None
        return
    assert gateway.registration is not None
    assert gateway.registration.shared_key == bytes.fromhex(wanted["shared_key_hex"])
    assert str(gateway.registration.expiry_ns) == wanted["expiration_unix_nanos"]


def test_registrations(rust_directory: Path, expected: dict[str, Any]) -> None:
    before = snapshot(rust_directory)
    known = read_gateways(rust_directory)
    assert known is not None
    assert known.active == expected["active_gateway_bs58"]
    wanted = sorted(expected["gateways"], key=lambda gateway: gateway["gateway_id_bs58"])
    for gateway, details in zip(known.gateways, wanted, strict=True):
        check_gateway(gateway, details)
    active = known.active_registration()
    assert active is not None
    assert active.listener == expected["active_gateway_listener"]["primary"]
    assert active.fallback == expected["active_gateway_listener"]["fallback"]
    assert snapshot(rust_directory) == before


async def test_taking_over(rust_directory: Path, expected: dict[str, Any]) -> None:
    """A Rust directory is loaded, backed up before the first change, and stays usable."""
    before = snapshot(rust_directory)
    storage = DirectoryStorage(rust_directory)
    client = await storage.load()
    assert client is not None
    assert client.keys.identity_seed.hex() == expected["identity_private_seed_hex"]
    assert client.keys.encryption_private.hex() == expected["encryption_private_hex"]
    assert client.keys.ack_key.hex() == expected["ack_key_hex"]
    assert client.last_authentication == 0
    assert client.registration is not None
    assert {name: snapshot(rust_directory)[name] for name in before} == before

    await storage.save_registration(replace(client.registration, shared_key=b"k" * 32))
    await storage.save_last_authentication(1_800_000_000)
    await storage.close()

    (backup,) = found_in(rust_directory, "nymproxy_backup_*")
    kept = {"expected.json", "credentials_database.db", "credentials_database.db-wal"}
    kept |= {"credentials_database.db-shm", f"{DATABASE_NAME}-shm"}
    assert snapshot(backup) == {name: data for name, data in before.items() if name not in kept}
    assert not found_in(rust_directory, "persistent_reply_store.sqlite*")
    for file in KEY_FILES:
        assert (rust_directory / file.name).read_bytes() == before[file.name]

    again = DirectoryStorage(rust_directory)
    client_again = await again.load()
    await again.close()
    assert client_again is not None
    assert client_again.keys == client.keys
    assert client_again.last_authentication == 1_800_000_000
    assert client_again.registration is not None
    assert client_again.registration.shared_key == b"k" * 32
    assert client_again.registration.expiry_ns == client.registration.expiry_ns
    assert client_again.registration.listener == client.registration.listener
    assert str(nym_address_of(rust_directory)) == expected["nym_address"]
    # Closed cleanly: the database is one file again, with everything in it.
    assert not found_in(rust_directory, f"{DATABASE_NAME}-*")
    known = read_gateways(rust_directory)
    assert known is not None
    assert [gateway.identity_text for gateway in known.gateways] == sorted(
        gateway["gateway_id_bs58"] for gateway in expected["gateways"]
    )


def test_new_database_equals_a_rust_one(
    rust_directory: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    """Columns, migrations and settings of a database that we make are those of a Rust client."""
    from nymproxy.mixnet.storage.registrations import save_registration

    ours = tmp_path / "ours"
    ours.mkdir()
    known = read_gateways(rust_directory)
    assert known is not None
    registration = known.active_registration()
    assert isinstance(registration, GatewayRegistration)
    save_registration(ours, registration)
    found = []
    for directory in (rust_directory, ours):
        connection = sqlite3.connect(directory / DATABASE_NAME)
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        found.append(
            {
                "columns": [
                    sorted(column[1:] for column in rows)
                    for (name,) in tables
                    for rows in [connection.execute(f"PRAGMA table_info({name})").fetchall()]
                ],
                "tables": tables,
                "migrations": connection.execute(
                    "SELECT version, description, success, checksum FROM _sqlx_migrations "
                    "ORDER BY version"
                ).fetchall(),
                "auto_vacuum": connection.execute("PRAGMA auto_vacuum").fetchall(),
                "active": connection.execute("SELECT * FROM active_gateway").fetchall(),
                "details": connection.execute(
                    "SELECT * FROM remote_gateway_details WHERE gateway_id_bs58 = ?",
                    (expected["active_gateway_bs58"],),
                ).fetchall(),
            }
        )
        connection.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("form", ["checkpointed", "as_left_on_disk"])
def test_database_of_gateway_json(form: str, tmp_path: Path) -> None:
    section = load("gateway.json")["storage"]

    def unpack(packed: str) -> bytes:
        return gzip.decompress(base64.b64decode(packed))

    if form == "checkpointed":
        (tmp_path / DATABASE_NAME).write_bytes(unpack(section["checkpointed_gzip_base64"]))
    else:
        files = section["as_left_on_disk"]
        (tmp_path / DATABASE_NAME).write_bytes(unpack(files["main_gzip_base64"]))
        (tmp_path / f"{DATABASE_NAME}-wal").write_bytes(unpack(files["wal_gzip_base64"]))
    known = read_gateways(tmp_path)
    assert known is not None
    wanted = section["expected"]
    assert known.active == wanted["active"]
    ordered = sorted(wanted["gateways"], key=lambda gateway: gateway["gateway_id"])
    for gateway, details in zip(known.gateways, ordered, strict=True):
        assert gateway.identity_text == details["gateway_id"]
        assert gateway.kind == details["type"]
        assert gateway.registered_ns // 10**9 == details["registered_unix"]
        if details["type"] != "remote":
            assert gateway.registration is None
            continue
        registration = gateway.registration
        assert registration is not None
        assert registration.shared_key == bytes.fromhex(details["shared_key"])
        assert registration.listener == details["primary"]
        assert registration.fallback == details["fallback"]
        assert str(registration.expiry_ns) == details["expires_unix_nanos"]
