"""A client kept in a directory that a Rust client (nym-sdk 1.21.6) can use too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from nymproxy._arguments import path_of
from nymproxy.address import NodeIdentity, NymAddress
from nymproxy.errors import AddressError, StorageError
from nymproxy.mixnet.storage.backup import back_up, has_reply_store
from nymproxy.mixnet.storage.files import (
    make_private_directory,
    refuse_mistrusted,
    storage_errors,
)
from nymproxy.mixnet.storage.key_files import (
    check_public_keys,
    encrypt_present_keys,
    finish_interrupted_write,
    present_key_files,
    read_public_keys,
    write_keys,
)
from nymproxy.mixnet.storage.locking import DirectoryLock
from nymproxy.mixnet.storage.own_state import OwnState, read_state, write_state
from nymproxy.mixnet.storage.registrations import (
    DATABASE_NAME,
    read_gateways,
    save_registration,
)
from nymproxy.mixnet.storage.start import read_client

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from nymproxy.mixnet.storage.model import ClientKeys, GatewayRegistration, StoredClient

_log = logging.getLogger("nymproxy.storage")

_P = ParamSpec("_P")
_R = TypeVar("_R")


class DirectoryStorage:
    """Keeps a client in the layout of the Rust clients, so that either can take over.

    The directory is made (0700) and locked by the first call. Before the first change to what a
    Rust client left there, it is backed up. What only we need stays in files of our own.

    Args:
        path: the directory, taken as given.
        passphrase: private keys are written under it, and those that were not are put under it.
            Those that are need it.
    """

    def __init__(self, path: str | os.PathLike[str], passphrase: str | None = None) -> None:
        self.path = path_of(path)
        """The directory."""
        self._passphrase = passphrase
        self._lock = DirectoryLock(self.path)
        self._serial = anyio.Lock()
        self._is_prepared = False

    async def load(self) -> StoredClient | None:
        """Read keys, active registration and our own state; None when there are none.

        Raises:
            StorageLocked: another process uses the directory.
            UnsafePermissions: a private key that others can read.
            StorageError: anything else that cannot be used; the message says what to do.
        """
        return await self._call(self._load)

    async def save_keys(self, keys: ClientKeys) -> None:
        """Write the five key files, all or none.

        Raises:
            StorageLocked: another process uses the directory.
            StorageError: other keys are there already, or writing failed.
        """
        await self._call(self._save_keys, keys)

    async def save_registration(self, registration: GatewayRegistration) -> None:
        """Insert or update a registration, new listeners included, and make it the active one.

        Raises:
            StorageLocked: another process uses the directory.
            StorageError: it cannot be written.
        """
        await self._call(self._change, save_registration, self.path, registration)

    async def save_last_authentication(self, unix_second: int) -> None:
        """Keep the second of an authentication, before it is sent.

        Raises:
            StorageLocked: another process uses the directory.
            StorageError: it cannot be written.
        """
        await self._call(self._change, write_state, self.path, OwnState(unix_second))

    async def close(self) -> None:
        """Release the lock, also in a cancelled scope. Idempotent."""
        with anyio.CancelScope(shield=True):  # what runs before us is a few writes to the disk
            async with self._serial:
                self._lock.release()
                self._is_prepared = False

    # In a thread, one at a time.

    async def _call(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        def locked() -> _R:
            with storage_errors("use", self.path):
                if not self._lock.is_held:
                    make_private_directory(self.path)
                    refuse_mistrusted(self.path)
                    self._lock.acquire()
                    finish_interrupted_write(self.path)
                return function(*args, **kwargs)

        async with self._serial:
            return await anyio.to_thread.run_sync(locked)

    def _load(self) -> StoredClient | None:
        stored = read_client(self.path, self._passphrase)
        if stored is not None:
            self._warn_of_readable_database()
            if self._passphrase is not None and encrypt_present_keys(
                self.path, stored.keys, self._passphrase
            ):
                _log.info("put the private keys in %s under the passphrase", self.path)
        return stored

    def _warn_of_readable_database(self) -> None:
        path = self.path / DATABASE_NAME
        with storage_errors("look at", path):
            if path.exists() and path.stat().st_mode & 0o077:
                _log.warning(
                    "%s holds the shared key and can be read by others: run  chmod 600 on it",
                    path.name,
                )

    def _save_keys(self, keys: ClientKeys) -> None:
        write_keys(self.path, keys, self._passphrase)
        if read_state(self.path) is None and not has_reply_store(self.path):
            # The mark that the directory is ours: there is nothing of a Rust client to back up.
            write_state(self.path, OwnState())

    def _change(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not self._is_prepared:
            has_keys = bool(present_key_files(self.path))
            if has_reply_store(self.path) or (has_keys and read_state(self.path) is None):
                back_up(self.path)
            self._is_prepared = True
        return function(*args, **kwargs)


def nym_address_of(path: str | os.PathLike[str]) -> NymAddress:
    """Return the Nym address of a client directory, without network access and changing nothing.

    Blocks for a few file reads. Works while another process uses the directory.

    Raises:
        StorageError: there is no client, no gateway was chosen yet, or something is damaged.
    """
    directory = path_of(path)
    with storage_errors("read", directory):
        return _address(directory)


def _address(directory: Path) -> NymAddress:
    if not directory.is_dir():
        raise StorageError(f"{directory} is no directory: name the one that holds the client")
    identity, encryption = read_public_keys(directory)
    check_public_keys(directory, identity, encryption)
    known = read_gateways(directory)
    if known is None or known.active is None:
        raise StorageError(
            f"the client in {directory} has chosen no gateway yet, so it has no address: "
            "start it once"
        )
    try:
        return NymAddress(identity, encryption, NodeIdentity.parse(known.active))
    except AddressError as error:
        raise StorageError(f"the client in {directory} has no valid address: {error}") from error
