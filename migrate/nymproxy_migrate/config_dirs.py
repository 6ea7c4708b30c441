"""Config directories of old servers on this machine: which Nym address is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARK = "public_identity.pem"
"""The file by which a directory is recognised; readable where the private keys are not."""

_LAYOUT = (MARK, "private_identity.pem", "private_encryption.pem", "public_encryption.pem")


def is_config_dir(directory: Path) -> bool:
    """Tell whether a directory has the files that an old server makes."""
    try:
        return all((directory / name).is_file() for name in _LAYOUT)
    except OSError:
        return False


def address_of(directory: Path) -> tuple[str | None, str]:
    """Return the Nym address of a directory, or None and why there is none."""
    from nymproxy import StorageError, nym_address_of

    try:
        return str(nym_address_of(directory)), ""
    except StorageError as error:
        return None, str(error)
