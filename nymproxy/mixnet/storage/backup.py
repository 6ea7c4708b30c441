"""A copy of what a Rust client left behind, made before the first change to it."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from nymproxy._atomic_write import sync_directory, write_synced
from nymproxy._bounded_read import read_regular
from nymproxy.errors import StorageError
from nymproxy.mixnet.storage.files import storage_errors
from nymproxy.mixnet.storage.key_files import KEY_FILES
from nymproxy.mixnet.storage.registrations import DATABASE_NAME

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger("nymproxy.storage")

REPLY_STORE_NAME = "persistent_reply_store.sqlite"
BACKUP_PREFIX = "nymproxy_backup_"

_MAX_BYTES = 64 * 1024 * 1024

_COPIED = (*(file.name for file in KEY_FILES), DATABASE_NAME, f"{DATABASE_NAME}-wal")


def has_reply_store(directory: Path) -> bool:
    """Tell whether a Rust client's reply store is there. It never is one of ours."""
    return (directory / REPLY_STORE_NAME).exists()


def back_up(directory: Path) -> Path:
    """Copy keys and registrations into a new subfolder, and move the reply store there.

    The reply store is a cache that would be out of step with what we send from now on: with it, a
    Rust client started later would use reply SURBs twice. Without one it makes a fresh one.

    Returns:
        The subfolder.

    Raises:
        StorageError: it cannot be made; nothing was moved then.
    """
    import shutil  # as in private_temporary_directory

    target = _unused_name(directory)
    staging = target.with_name(f".{target.name}")
    with storage_errors("back up", directory):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        try:
            for name in _COPIED:
                with contextlib.suppress(FileNotFoundError):
                    write_synced(staging / name, read_regular(directory / name, _MAX_BYTES))
            sync_directory(staging)
            staging.rename(target)
        except OSError:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        # The main file goes last: a log without its database is harmless, and so is a database
        # made anew beside no log at all.
        for suffix in ("-shm", "-wal", ""):
            source = directory / (REPLY_STORE_NAME + suffix)
            if source.exists():
                source.rename(target / source.name)
        sync_directory(directory)
    _log.info("made a backup of what a Rust client left in the directory: %s", target.name)
    return target


def _unused_name(directory: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for number in range(1000):
        target = directory / f"{BACKUP_PREFIX}{stamp}{f'_{number}' if number else ''}"
        if not target.exists():
            return target
    raise StorageError(f"{directory} holds too many backups of this second")
