"""What the files hold that settings name: env file, certificates, passphrases, the configuration.

They are read before anything runs, when a signal still ends the process, whatever is waited for. A
pipe gives what it holds once: all forwards, and later reloads, go by that. Files are read anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.directory import NetworkDetails

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class Inputs:
    """The files of a process."""

    def __init__(self) -> None:
        self._of_pipes: dict[Path, Any] = {}
        self._may_wait = True

    def read(self, path: Path, reader: Callable[[Path], T]) -> T:
        """Return what a reader makes of a file; of a pipe, what it made of it first.

        Raises:
            ConfigurationError: there is a pipe, or a device, where none was when the process
                started.
        """
        if not path.exists() or path.is_file() or path.is_dir():
            return reader(path)
        if path not in self._of_pipes:
            if not self._may_wait:
                raise ConfigurationError(
                    f"{path} is no file: pipes are read when the process starts, not at a reload"
                )
            self._of_pipes[path] = reader(path)
        found: T = self._of_pipes[path]
        return found

    def network(self, env_path: Path | None) -> NetworkDetails:
        """Return the network of an env file, or without one that of the environment.

        Raises:
            ConfigurationError: the file cannot be read, or describes no network.
        """
        if env_path is None:
            return NetworkDetails.from_env_file(None)
        return self.read(env_path, NetworkDetails.from_env_file)

    def forbid_waiting(self) -> None:
        """From now on, refuse pipes that were not read before."""
        self._may_wait = False
