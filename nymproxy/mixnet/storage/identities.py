"""Where a server keeps its identities: the first in its directory, the others in folders of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from nymproxy._arguments import path_of
from nymproxy.mixnet.storage.directory import nym_address_of
from nymproxy.mixnet.storage.key_files import present_key_files

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from nymproxy.address import NymAddress


@dataclass(frozen=True, slots=True)
class KeyDirectory:
    """A directory with keys, and what opens them. It goes wherever a path does.

    Attributes:
        path: the directory.
        passphrase: of the private keys; ``None``: they are not encrypted.
    """

    path: Path
    passphrase: str | None = field(default=None, repr=False)

    def __fspath__(self) -> str:
        return str(self.path)


def identity_directory(directory: str | os.PathLike[str], number: int) -> KeyDirectory:
    """Return where the identity with that number, from 0, is kept, under the same passphrase."""
    passphrase = directory.passphrase if isinstance(directory, KeyDirectory) else None
    path = path_of(directory)
    return KeyDirectory(path if number == 0 else path / f"identity-{number + 1}", passphrase)


def nym_addresses_of(directory: str | os.PathLike[str]) -> tuple[NymAddress, ...]:
    """Return the Nym addresses of a server's directory: the first one's, then the others'.

    Raises:
        StorageError: as :func:`nym_address_of`, for any of them.
    """
    addresses = [nym_address_of(directory)]
    for number in count(1):
        further = identity_directory(directory, number)
        if not present_key_files(further.path):
            break
        addresses.append(nym_address_of(further))
    return tuple(addresses)
