"""The config directory: the five keys and their modes, the two databases, the Nym address."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy import NymAddress, StorageError, nym_address_of
from nymproxy_migrate import workers
from nymproxy_migrate.doctor.model import Check, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG_DIR = "config-dir"
KEY_FILES = "key-files"
REGISTRATIONS = "gateway-database"
REPLY_STORE = "reply-database"
ADDRESS = "nym-address"

PRIVATE = ("private_identity.pem", "private_encryption.pem", "ack_key.pem")
PUBLIC = ("public_identity.pem", "public_encryption.pem")
DATABASES = {
    REGISTRATIONS: "gateways_registrations.sqlite",
    REPLY_STORE: "persistent_reply_store.sqlite",
}
_TABLES = {
    REGISTRATIONS: {"active_gateway", "registered_gateway", "remote_gateway_details"},
    REPLY_STORE: {"status"},
}
_MAX_COPY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One key file as it was found.

    Attributes:
        name: its name.
        mode: its permission bits.
        is_readable: whether this process may read it.
    """

    name: str
    mode: int
    is_readable: bool


# The directory itself.


def check_config_dir(path: Path | None, home: str | None) -> Check:
    """Look for the directory, also where the old programs glued it to HOME."""
    if path is None:
        return Check(CONFIG_DIR, Verdict.SKIPPED, "none given (--config-dir)")
    if path.is_dir():
        return Check(CONFIG_DIR, Verdict.OK, "it is there", detail=str(path))
    glued = Path(f"{home}{path}") if home else None
    if glued is not None and glued.is_dir():
        return Check(
            CONFIG_DIR,
            Verdict.FAIL,
            "it is not there, but the old programs put HOME in front of it, and that is there",
            f"name it as it is: --config-dir {shlex.quote(str(glued))}",
            detail=str(path),
        )
    return Check(
        CONFIG_DIR,
        Verdict.FAIL,
        "it is no folder" if path.exists() else "it is not there",
        "name the folder with the keys, as the user who runs the server",
        detail=str(path),
    )


# Key files.


def check_key_files(directory: Path) -> Check:
    """Look at names and modes of the five key files; :mod:`.start` opens them."""
    found = []
    for name in (*PRIVATE, *PUBLIC):
        path = directory / name
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
        found.append(KeyFile(name, mode, os.access(path, os.R_OK)))
    return judge_key_files(directory, found)


def judge_key_files(directory: Path, found: Sequence[KeyFile]) -> Check:
    """Judge the key files that are there."""
    names = {file.name for file in found}
    missing = [name for name in (*PRIVATE, *PUBLIC) if name not in names]
    if not found:
        return Check(
            KEY_FILES,
            Verdict.WARN,
            "there is none yet: the first start makes a new Nym address",
            "to keep an old address, name its folder with --config-dir",
        )
    if missing:
        return Check(
            KEY_FILES,
            Verdict.FAIL,
            f"missing: {', '.join(missing)}; a Rust client would make new ones over the others",
            "restore all five from a backup before anything is started there",
        )
    unreadable = [file.name for file in found if not file.is_readable]
    if unreadable:
        return Check(
            KEY_FILES,
            Verdict.FAIL,
            f"not readable: {', '.join(unreadable)}",
            "run doctor as the user who runs the server",
        )
    open_ones = [file for file in found if file.name in PRIVATE and file.mode & 0o077]
    if open_ones:
        listed = ", ".join(f"{file.name} ({file.mode:04o})" for file in open_ones)
        paths = " ".join(shlex.quote(str(directory / file.name)) for file in open_ones)
        return Check(
            KEY_FILES,
            Verdict.FAIL,
            f"others than the owner can use {listed}; nymproxy refuses them",
            f"chmod 600 {paths}",
        )
    return Check(KEY_FILES, Verdict.OK, "all five are there, the private ones for the owner only")


# Databases.


def check_database(directory: Path, name: str) -> Check:
    """Open a database without changing it, and let sqlite check all of it."""
    path = directory / DATABASES[name]
    if not path.exists():
        return judge_missing_database(name, has_keys=(directory / PRIVATE[0]).exists())
    problem = workers.call(_problem_of, (path.absolute(), _TABLES[name]))
    if isinstance(problem, workers.Failure):
        problem = problem.reason
    return judge_database(name, path, problem, path.stat().st_mode)


def judge_missing_database(name: str, *, has_keys: bool) -> Check:
    """Judge a database that is not there."""
    if name == REPLY_STORE:
        return Check(name, Verdict.OK, "none, and none is needed: it is a cache of Rust clients")
    if has_keys:
        return Check(
            name,
            Verdict.WARN,
            "there are keys, but no gateway database: a gateway will be chosen anew, and with it "
            "the last part of the Nym address",
            "restore it from a backup, or name the old gateway with --gateway at the first start",
        )
    return Check(name, Verdict.OK, "none yet: the first start makes it")


def judge_database(name: str, path: Path, problem: str | None, mode: int) -> Check:
    """Judge a database that was opened, or could not be."""
    if problem is not None and name == REPLY_STORE:
        return Check(
            name,
            Verdict.WARN,
            f"it cannot be used: {problem}; it is a cache that nymproxy sets aside",
            "nothing is lost; a Rust client makes a new one once the file is moved away",
        )
    if problem is not None:
        return Check(
            name,
            Verdict.FAIL,
            f"it cannot be used: {problem}",
            f"stop what uses the folder and restore {path.name} from a backup",
        )
    if mode & 0o077 and name == REGISTRATIONS:
        return Check(
            name,
            Verdict.WARN,
            f"others than the owner can use it ({stat.S_IMODE(mode):04o}), and it holds the key "
            "shared with the gateway",
            f"chmod 600 {shlex.quote(str(path))}",
        )
    return Check(name, Verdict.OK, "it opens, and sqlite finds it whole")


def _problem_of(database: tuple[Path, set[str]]) -> str | None:
    """Return what is wrong with a database, which need not be one; this runs in a worker."""
    try:
        return _problem_found(*database)
    except sqlite3.Error as error:
        return str(error)
    except OSError as error:
        return error.strerror or type(error).__name__


def _problem_found(path: Path, tables: set[str]) -> str | None:
    log = Path(f"{path}-wal")
    for file in (path, log):
        if file.exists() and not file.is_file():
            return f"{file.name} is no regular file"
    if not log.exists() or log.stat().st_size == 0:
        # "immutable" keeps sqlite from making files beside it.
        return _problem_inside(f"{path.absolute().as_uri()}?mode=ro&immutable=1", tables)
    if path.stat().st_size + log.stat().st_size > _MAX_COPY_BYTES:
        return "too large to be checked while it is in use; stop what uses it"
    # Rows may be in the log only, and reading it in place would change both files.
    with tempfile.TemporaryDirectory(prefix="nymproxy-migrate-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(log, f"{copy}-wal")
        shutil.copyfile(path, copy)
        return _problem_inside(copy.as_uri(), tables)


def _problem_inside(uri: str, tables: set[str]) -> str | None:
    connection = sqlite3.connect(uri, uri=True, timeout=1.0)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            return "sqlite finds it damaged"
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        missing = tables - {name for (name,) in rows}
        return f"it lacks the table {min(missing)}" if missing else None
    finally:
        connection.close()


# The Nym address.


def read_address(directory: Path) -> tuple[Check, NymAddress | None]:
    """Work out the Nym address offline; what else is wrong with the folder shows here, too."""
    try:
        address = nym_address_of(directory)
    except StorageError as error:
        # Its message names the folder, which the terminal may show.
        check = Check(
            ADDRESS,
            Verdict.WARN if _is_new(directory) else Verdict.FAIL,
            "the folder holds no complete address",
            "restore the folder from a backup, or start the server once to make an address",
            detail=str(error),
        )
        return check, None
    shown = f"{str(address)[:6]}..."
    return Check(ADDRESS, Verdict.OK, "read offline", detail=f"it starts with {shown}"), address


def _is_new(directory: Path) -> bool:
    # Nothing is damaged where nothing was made yet: no keys, or keys and no gateway.
    has_keys = any((directory / name).exists() for name in (*PRIVATE, *PUBLIC))
    return not has_keys or not (directory / DATABASES[REGISTRATIONS]).exists()
