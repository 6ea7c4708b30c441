"""What a client that starts in a directory goes on with, and a look at that without a start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy._arguments import path_of
from nymproxy.address import NymAddress
from nymproxy.errors import StorageError
from nymproxy.mixnet.storage.files import refuse_mistrusted, storage_errors
from nymproxy.mixnet.storage.key_files import is_write_interrupted, read_keys
from nymproxy.mixnet.storage.model import StoredClient
from nymproxy.mixnet.storage.own_state import OwnState, read_state
from nymproxy.mixnet.storage.registrations import read_gateways

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from nymproxy.address import NodeIdentity


@dataclass(frozen=True, slots=True)
class StartPreview:
    """What a start in a directory would do, if nothing else is asked of it.

    Attributes:
        has_keys: it goes on with keys that are there; otherwise it makes new ones.
        address: the Nym address that it keeps; None where a gateway has to be chosen first, with
            which the address is another one than any before.
    """

    has_keys: bool
    address: NymAddress | None

    @property
    def gateway(self) -> NodeIdentity | None:
        """The gateway that it keeps."""
        return None if self.address is None else self.address.gateway


def preview_start(path: str | os.PathLike[str]) -> StartPreview:
    """Open a client directory as a start does, and change nothing in it.

    Blocks for a few file reads. Works while another process uses the directory; that a start
    would then be refused is not looked at.

    Raises:
        UnsafePermissions: a start is refused: others could use or replace the keys.
        StorageError: a start is refused: keys are missing, damaged or of two clients, or the
            gateway's registration cannot be used; the message says what to do.
    """
    directory = path_of(path)
    with storage_errors("read", directory):
        if not directory.exists():
            return StartPreview(False, None)
        if not directory.is_dir():
            raise StorageError(f"{directory} is no directory: name another one")
        refuse_mistrusted(directory)
        if is_write_interrupted(directory):
            raise StorageError(
                f"a start in {directory} was interrupted while it wrote keys: start it again, "
                "which finishes that or begins anew"
            )
        stored = read_client(directory)
    if stored is None:
        return StartPreview(False, None)
    if stored.registration is None:
        return StartPreview(True, None)
    keys = stored.keys
    address = NymAddress(keys.identity_public, keys.encryption_public, stored.registration.identity)
    return StartPreview(True, address)


def read_client(directory: Path, passphrase: str | None = None) -> StoredClient | None:
    """Read keys, active registration and our own state; None when there are none.

    Args:
        directory: where they are.
        passphrase: opens encrypted keys.

    Raises:
        UnsafePermissions: a private key that others can read.
        StorageError: anything else that cannot be used; the message says what to do.
    """
    keys = read_keys(directory, passphrase)
    known = read_gateways(directory)
    if keys is None:
        if known is not None and known.active is not None:
            raise StorageError(
                f"{directory} holds a gateway registration and no keys: restore the five .pem "
                "files from a backup, or name another directory"
            )
        return None
    registration = None if known is None else known.active_registration()
    state = read_state(directory) or OwnState()
    return StoredClient(keys, registration, state.last_authentication)
