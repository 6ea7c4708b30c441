"""The gateway registrations of a client directory (gateways_registrations.sqlite).

Format of nym-client-core-gateways-storage 1.21.6. The functions block; run them in a thread. Each
opens the database, does one thing and closes it, so that a Rust client can open it at any time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy._atomic_write import create_private, sync_directory, temporary_of
from nymproxy._bounded_read import read_regular
from nymproxy.address import NodeIdentity
from nymproxy.errors import AddressError, StorageError
from nymproxy.mixnet.storage.files import (
    private_temporary_directory,
    storage_errors,
)
from nymproxy.mixnet.storage.model import GatewayRegistration
from nymproxy.mixnet.storage.schema import MIGRATIONS, REMOTE_COLUMNS, SCHEMA
from nymproxy.mixnet.storage.timestamps import format_timestamp, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE_NAME = "gateways_registrations.sqlite"
_log = logging.getLogger("nymproxy.storage")

_MAX_DATABASE_BYTES = 16 * 1024 * 1024
_MAX_VALUE_BYTES = 1024 * 1024
_MAX_STEPS = 5_000_000  # of sqlite's virtual machine, for one statement: about a second
_BUSY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class KnownGateway:
    """One row of ``registered_gateway``.

    Attributes:
        identity_text: base58.
        kind: ``remote`` or ``custom`` (a client built into a gateway; never used by us).
        registered_ns: Unix nanoseconds.
        registration: the details; None for custom ones and where they are missing.
    """

    identity_text: str
    kind: str
    registered_ns: int
    registration: GatewayRegistration | None


@dataclass(frozen=True, slots=True)
class KnownGateways:
    """The content of a database.

    Attributes:
        active: base58 identity of the active gateway, None when none was chosen yet.
        gateways: all of them, ordered by identity.
    """

    active: str | None
    gateways: tuple[KnownGateway, ...]

    def active_registration(self) -> GatewayRegistration | None:
        """Return the registration to use.

        Raises:
            StorageError: the active gateway is of the wrong kind, or its details are missing.
        """
        if self.active is None:
            return None
        for gateway in self.gateways:
            if gateway.identity_text == self.active:
                if gateway.registration is not None:
                    return gateway.registration
                raise StorageError(
                    "the active gateway of this directory has no usable registration "
                    f"(kind {gateway.kind!r}): choose a gateway in another directory"
                )
        raise StorageError("the active gateway of this directory is not among the registered ones")


@contextlib.contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"{path} is no usable gateway database: {error}") from error


@contextlib.contextmanager
def _connect(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


# Reading.


def read_gateways(directory: Path) -> KnownGateways | None:
    """Read the database of a directory; None when there is none.

    A copy is read, so that the directory is left exactly as it was: a Rust client may have all
    rows in the ``-wal`` file, and opening that in place would change both files.

    Raises:
        StorageError: it cannot be read, or is no such database.
    """
    source = directory / DATABASE_NAME
    if not source.exists():
        return None
    with private_temporary_directory() as temporary:
        copy = Path(temporary) / DATABASE_NAME
        # The log first: if it is moved into the database in between, replaying our copy of it
        # over the newer database changes nothing.
        for suffix in ("-wal", ""):
            _copy_bounded(Path(f"{source}{suffix}"), Path(f"{copy}{suffix}"))
        with _database_errors(source), _connect(copy) as connection:
            _distrust(connection)
            return _read(connection)


def _distrust(connection: sqlite3.Connection) -> None:
    """Let nothing in a database of somebody else take long or much memory."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    # Returning true ends the statement: a view can recurse for ever.
    connection.set_progress_handler(lambda: True, _MAX_STEPS)


def _copy_bounded(source: Path, target: Path) -> None:
    if not source.exists():
        return
    with storage_errors("read", source):
        target.write_bytes(read_regular(source, _MAX_DATABASE_BYTES))


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}


def _read(connection: sqlite3.Connection) -> KnownGateways:
    active_rows = connection.execute("SELECT active_gateway_id_bs58 FROM active_gateway").fetchall()
    if len(active_rows) != 1:
        raise StorageError("the gateway database does not say which gateway is active")
    details = {
        row["gateway_id_bs58"]: row
        for row in connection.execute("SELECT * FROM remote_gateway_details")
    }
    gateways = []
    for row in connection.execute("SELECT * FROM registered_gateway ORDER BY gateway_id_bs58"):
        identity = row["gateway_id_bs58"]
        registered_ns = parse_timestamp(row["registration_timestamp"])
        remote = details.get(identity) if row["gateway_type"] == "remote" else None
        registration = None if remote is None else _registration(remote, registered_ns)
        kind = str(row["gateway_type"])
        gateways.append(KnownGateway(str(identity), kind, registered_ns, registration))
    active = active_rows[0][0]
    return KnownGateways(None if active is None else str(active), tuple(gateways))


def _registration(row: sqlite3.Row, registered_ns: int) -> GatewayRegistration:
    """Read details by column name: databases from before November 2025 have other columns."""
    values = dict(zip(row.keys(), row, strict=True))
    key = values.get("derived_aes256_gcm_siv_key")
    listener = values.get("gateway_listener")
    fallback = values.get("fallback_listener")
    if not isinstance(key, bytes | None) or not isinstance(listener, str):
        raise StorageError("the gateway database holds values of another type than it should")
    if not isinstance(fallback, str | None):
        raise StorageError("the gateway database holds a fallback listener that is no text")
    try:
        identity = NodeIdentity.parse(str(values["gateway_id_bs58"]))
    except AddressError as error:
        raise StorageError("the gateway database holds an identity that is none") from error
    return GatewayRegistration(
        identity=identity,
        shared_key=key,
        listener=listener,
        fallback=fallback,
        expiry_ns=parse_timestamp(values.get("expiration_timestamp", 0)),
        registered_ns=registered_ns,
    )


# Writing.


def save_registration(directory: Path, registration: GatewayRegistration) -> None:
    """Insert or update a registration and make it the active one.

    Makes the database when there is none, and a new one when it has an older schema.

    Raises:
        StorageError: it cannot be written.
    """
    path = directory / DATABASE_NAME
    if not path.exists():
        _create(path, KnownGateways(None, ()))
    elif not _is_current(path):
        known = read_gateways(directory)
        assert known is not None
        _create(path, known)
    with _database_errors(path), _connect(path) as connection:
        with _transaction(connection):
            _write_registration(connection, registration)
            changed = connection.execute(
                "UPDATE active_gateway SET active_gateway_id_bs58 = ?",
                (str(registration.identity),),
            ).rowcount
            if changed == 0:
                connection.execute(
                    "INSERT INTO active_gateway(id, active_gateway_id_bs58) VALUES (0, ?)",
                    (str(registration.identity),),
                )
        _checkpoint(connection)


def _is_current(path: Path) -> bool:
    with _database_errors(path), _connect(path) as connection:
        return set(REMOTE_COLUMNS) <= _columns(connection, "remote_gateway_details")


def _create(path: Path, content: KnownGateways) -> None:
    """Make a database as a Rust client would, beside the old one, then put it in its place."""
    temporary = temporary_of(path)
    with storage_errors("write", path):
        os.close(create_private(temporary))
    with _database_errors(path), _connect(temporary) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.executescript(f"BEGIN;{SCHEMA}COMMIT;")
        with _transaction(connection):
            connection.executemany(
                "INSERT INTO _sqlx_migrations(version, description, success, checksum, "
                "execution_time) VALUES (?, ?, TRUE, ?, -1)",
                [(version, text, bytes.fromhex(digest)) for version, text, digest in MIGRATIONS],
            )
            for gateway in content.gateways:
                if gateway.registration is not None and gateway.registration.shared_key is not None:
                    _write_registration(connection, gateway.registration)
                else:
                    _log.warning("left a registration without a usable key out of the new database")
    with storage_errors("write", path):
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        temporary.replace(path)
        sync_directory(path.parent)


def _write_registration(connection: sqlite3.Connection, registration: GatewayRegistration) -> None:
    if registration.shared_key is None:
        raise StorageError("a registration without a shared key cannot be stored")
    identity = str(registration.identity)
    registered_ns = registration.registered_ns or time.time_ns()
    connection.execute(
        "INSERT INTO registered_gateway(gateway_id_bs58, registration_timestamp, gateway_type) "
        "VALUES (?, ?, 'remote') ON CONFLICT (gateway_id_bs58) DO NOTHING",
        (identity, format_timestamp(registered_ns)),
    )
    connection.execute(
        "INSERT INTO remote_gateway_details(gateway_id_bs58, derived_aes256_gcm_siv_key, "
        "gateway_listener, fallback_listener, expiration_timestamp) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (gateway_id_bs58) DO UPDATE SET "
        "derived_aes256_gcm_siv_key = excluded.derived_aes256_gcm_siv_key, "
        "gateway_listener = excluded.gateway_listener, "
        "fallback_listener = excluded.fallback_listener, "
        "expiration_timestamp = excluded.expiration_timestamp",
        (
            identity,
            registration.shared_key,
            _normal_url(registration.listener),
            None if registration.fallback is None else _normal_url(registration.fallback),
            format_timestamp(registration.expiry_ns),
        ),
    )


def _normal_url(url: str) -> str:
    """Add the path that a WHATWG parser adds: ``ws://host:port`` becomes ``ws://host:port/``."""
    _, _, rest = url.partition("://")
    return url if "/" in rest else url + "/"


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Move everything into the main file, for those who copy only that one."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
