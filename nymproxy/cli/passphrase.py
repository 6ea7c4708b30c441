"""Where the passphrase of a server's private keys comes from: a file, the environment, a prompt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nymproxy._bounded_read import read_named
from nymproxy.cli.inputs import Inputs
from nymproxy.errors import ConfigurationError, UnsafePermissions
from nymproxy.mixnet.storage.key_files import has_encrypted_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VARIABLE = "NYM_CLIENT_KEY_PASSPHRASE"
"""As the clients of nym-client-core 2.0.0 read it."""

_MAX_BYTES = 4096


def key_passphrase(
    file: Path | None, environ: Mapping[str, str], inputs: Inputs | None = None
) -> str | None:
    """Return the passphrase, if one is given: of the file, else of the environment.

    Args:
        file: where it is.
        environ: the environment.
        inputs: where a file that is a pipe may have been read before.

    Raises:
        ConfigurationError: the file cannot be read, or there is nothing in it.
        UnsafePermissions: everybody can read the file.
    """
    if file is None:
        return _checked(environ[VARIABLE], VARIABLE) if VARIABLE in environ else None
    return (inputs or Inputs()).read(file, _passphrase_in)


def _passphrase_in(file: Path) -> str:
    try:
        mode = file.stat().st_mode
        text = read_named(file, _MAX_BYTES).decode()
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: no text") from error
    if mode & 0o007:
        raise UnsafePermissions(f"{file} can be read by everybody: run  chmod o= '{file}'")
    return _checked(text.removesuffix("\n").removesuffix("\r"), str(file))


def _checked(text: str, where: str) -> str:
    if not text.strip():
        raise ConfigurationError(f"{where}: the passphrase is empty")
    return text


def _ask(prompt: str) -> str:
    from getpass import getpass  # what runs for long hardly ever asks

    return getpass(prompt)


def asked_passphrase(directory: Path, ask: Callable[[str], str] = _ask) -> str | None:
    """Ask for the passphrase of keys that are encrypted, where somebody can answer.

    Raises:
        StorageError: the keys cannot be looked at.
    """
    if not (sys.stdin is not None and sys.stdin.isatty() and directory.is_dir()):
        return None
    if not has_encrypted_keys(directory):
        return None
    return _checked(ask(f"passphrase of the keys in {directory}: "), "the answer")
