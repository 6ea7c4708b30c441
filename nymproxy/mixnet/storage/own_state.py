"""What we keep beside the Rust layout, in a file of our own."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy._atomic_write import write_atomically
from nymproxy.errors import StorageError
from nymproxy.mixnet.storage.files import read_small_file, storage_errors

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger("nymproxy.storage")

STATE_NAME = "nymproxy_state.json"


@dataclass(frozen=True, slots=True)
class OwnState:
    """Our own facts about a client.

    Attributes:
        last_authentication: Unix second of the latest authentication, 0 when unknown.
    """

    last_authentication: int = 0


def read_state(directory: Path) -> OwnState | None:
    """Read the file; None when there is none, defaults when it is damaged.

    Nothing in it is worth refusing to start: a second that was used before is found out by the
    gateway's answer.
    """
    path = directory / STATE_NAME
    if not path.exists():
        return None
    try:
        content = json.loads(read_small_file(path))
        second = content["last_authentication"]
    except (StorageError, ValueError, KeyError, TypeError, RecursionError):
        second = None
    if type(second) is not int or second < 0:
        _log.warning("%s is damaged: going on without it", path.name)
        return OwnState()
    return OwnState(second)


def write_state(directory: Path, state: OwnState) -> None:
    """Replace the file.

    Raises:
        StorageError: it cannot be written.
    """
    content = json.dumps({"format": 1, "last_authentication": state.last_authentication})
    path = directory / STATE_NAME
    with storage_errors("write", path):
        write_atomically(path, content.encode() + b"\n")
