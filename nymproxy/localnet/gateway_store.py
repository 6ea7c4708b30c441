"""What a gateway must not forget when it is killed: registrations, bandwidth, stored messages.

SQLite in WAL mode, one small transaction per batch of messages: a transaction is in the operating
system's hands when it returns, so it survives the death of the process, which is what a localnet
tests; nothing waits for the disk (``synchronous=OFF``), so it does not survive a power cut. An
append journal would be as fast for writing, but messages are deleted, counted and expired by
client, for which it would have to be compacted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from nymproxy.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MESSAGE_LIFETIME_SECONDS = 24 * 3600.0
MESSAGES_PER_CLIENT = 50_000
MESSAGES_IN_ALL = 200_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS clients (
    address BLOB PRIMARY KEY, shared_key BLOB NOT NULL, last_authentication INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bandwidth (
    address BLOB PRIMARY KEY, available INTEGER NOT NULL, expires_on INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, address BLOB NOT NULL, content BLOB NOT NULL,
    stored_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS messages_by_client ON messages (address, id);
"""


class Registration(NamedTuple):
    """A client as the gateway knows it."""

    shared_key: bytes
    last_authentication: int
    """Unix seconds of the last request that succeeded, 0 if none."""


class Allowance(NamedTuple):
    """A client's bandwidth."""

    available: int
    """Bytes."""
    expires_on: int
    """Day number since 1970 (UTC); the allowance is void on later days."""


class StoredMessage(NamedTuple):
    """A message that waits for its client."""

    message_id: int
    content: bytes


def utc_day(unix_time: float) -> int:
    """Return the number of the UTC day (Unix time has no leap seconds)."""
    return int(unix_time // 86400)


class GatewayStore:
    """The state file of one gateway.

    Raises:
        StorageError: from every method, when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.touch(mode=0o600, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._waiting = self._prepare()
            except sqlite3.Error:
                self._database.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"cannot use the gateway state {path}: {error}") from error

    def _prepare(self) -> Counter[bytes]:
        """Make the tables if there are none, and count the messages that wait for each client."""
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(_SCHEMA)
        counts = self._database.execute("SELECT address, COUNT(*) FROM messages GROUP BY 1")
        return Counter(dict(counts.fetchall()))

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._database.close()

    # Registrations and bandwidth.

    def registration(self, address: bytes) -> Registration | None:
        """Return what is known of a client, or ``None`` if it is not registered."""
        row = self._one(
            "SELECT shared_key, last_authentication FROM clients WHERE address = ?", (address,)
        )
        return None if row is None else Registration(*row)

    def register(self, address: bytes, shared_key: bytes) -> None:
        """Keep a new shared key, in place of an older one; the first time, 0 bytes bandwidth.

        The last authentication is kept: it stays the client's protection against replays.
        """
        with self._transaction():
            self._run(
                "INSERT INTO clients VALUES (?, ?, 0) "
                "ON CONFLICT (address) DO UPDATE SET shared_key = excluded.shared_key",
                (address, shared_key),
            )
            self._run("INSERT OR IGNORE INTO bandwidth VALUES (?, 0, 0)", (address,))

    def record_authentication(self, address: bytes, unix_timestamp: int) -> None:
        """Keep the timestamp of a successful authentication."""
        self._run(
            "UPDATE clients SET last_authentication = ? WHERE address = ?",
            (unix_timestamp, address),
        )

    def forget(self, address: bytes) -> None:
        """Delete a client: its key, its bandwidth and its messages."""
        with self._transaction():
            for table in ("clients", "bandwidth", "messages"):
                self._run(f"DELETE FROM {table} WHERE address = ?", (address,))
        del self._waiting[address]

    def allowance(self, address: bytes) -> Allowance:
        """Return a client's bandwidth; unknown clients have none."""
        row = self._one("SELECT available, expires_on FROM bandwidth WHERE address = ?", (address,))
        return Allowance(0, 0) if row is None else Allowance(*row)

    def save_allowances(self, allowances: Iterable[tuple[bytes, Allowance]]) -> None:
        """Write the bandwidth of some clients; those who were forgotten stay so."""
        with self._transaction():
            for address, (available, expires_on) in allowances:
                self._run(
                    "UPDATE bandwidth SET available = ?, expires_on = ? WHERE address = ?",
                    (available, expires_on, address),
                )

    # Messages.

    def store(self, messages: Sequence[tuple[bytes, bytes]], unix_time: float) -> list[bool]:
        """Keep messages (destination, content); all that are kept are safe on return.

        Returns:
            For each whether it was kept. A full store refuses the newest.
        """
        kept: list[bool] = []
        with self._transaction():
            for address, content in messages:
                fits = (
                    self._waiting[address] < MESSAGES_PER_CLIENT
                    and self._waiting.total() < MESSAGES_IN_ALL
                )
                if fits:
                    self._run(
                        "INSERT INTO messages (address, content, stored_at) VALUES (?, ?, ?)",
                        (address, content, unix_time),
                    )
                    self._waiting[address] += 1
                kept.append(fits)
        return kept

    def waiting(self, address: bytes, limit: int = 100) -> list[StoredMessage]:
        """Return the oldest messages of a client."""
        rows = self._all(
            "SELECT id, content FROM messages WHERE address = ? ORDER BY id LIMIT ?",
            (address, limit),
        )
        return [StoredMessage(*row) for row in rows]

    def delete(self, address: bytes, messages: Sequence[StoredMessage]) -> None:
        """Forget messages that were delivered."""
        with self._transaction():
            for message in messages:
                self._run("DELETE FROM messages WHERE id = ?", (message.message_id,))
        self._waiting[address] -= len(messages)

    def expire(self, unix_time: float) -> int:
        """Delete the messages that are too old; returns how many."""
        rows = self._all(
            "DELETE FROM messages WHERE stored_at < ? RETURNING address",
            (unix_time - MESSAGE_LIFETIME_SECONDS,),
        )
        self._waiting.subtract(address for (address,) in rows)
        self._waiting = +self._waiting
        return len(rows)

    # SQLite.

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)

    def _run(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise StorageError(f"cannot write the gateway state: {error}") from error

    def _all(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"cannot read the gateway state: {error}") from error

    def _one(self, statement: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        rows = self._all(statement, values)
        return rows[0] if rows else None


class _Transaction:
    """``BEGIN`` on entry; ``COMMIT`` on a normal exit, ``ROLLBACK`` on another."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._execute("BEGIN")

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        self._execute("COMMIT" if kind is None else "ROLLBACK")

    def _execute(self, statement: str) -> None:
        try:
            self._database.execute(statement)
        except sqlite3.Error as error:
            raise StorageError(f"cannot write the gateway state: {error}") from error
