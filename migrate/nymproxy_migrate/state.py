"""Where runs are recorded: a folder of the user's own, outside of every tree.

``STATE/key`` is 32 random bytes that only this user can read; what bears no code made with it is no
record. ``STATE/trees/ID`` holds the runs of one tree, ID being a digest of where the tree is. A
tree, which others may have written, has no say in any of that.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from blake3 import blake3

from nymproxy._mistrust import why_mistrusted
from nymproxy_migrate.durable import Place
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy_migrate.durable import DurableFiles

OLD_STATE_FOLDER = ".nymproxy-migrate"
"""Where earlier versions recorded runs: in the tree itself. It is never read."""

_KEY_BYTES = 32
_CODE_BYTES = 64  # in hexadecimal


@dataclass(frozen=True, slots=True)
class State:
    """The state of one tree.

    Attributes:
        folder: where the runs of the tree are recorded.
        root: the tree, without links.
        key: what records are authenticated with.
    """

    folder: Path
    root: Path
    key: bytes = field(repr=False)

    def sealed(self, record: bytes) -> bytes:
        """Return a record with its code in front."""
        return self._code(record) + b"\n" + record

    def unsealed(self, data: bytes) -> bytes:
        """Return the record in some bytes.

        Raises:
            Refused: it was not made with the key of this user for this tree.
        """
        code, record = data[:_CODE_BYTES], data[_CODE_BYTES + 1 :]
        if not hmac.compare_digest(code, self._code(record)):
            raise Refused(f"{self.folder}: a record was not made by this user of the tool")
        return record

    def _code(self, record: bytes) -> bytes:
        context = os.fsencode(self.root) + b"\0"
        return blake3(context + record, key=self.key).hexdigest().encode()


def default_folder() -> Path:
    """Return ``$XDG_STATE_HOME/nymproxy-migrate``, or what takes its place on this system."""
    from platformdirs import user_state_path

    return user_state_path("nymproxy-migrate", appauthor=False)


def prepared(root: Path, base: Path | None, files: DurableFiles) -> State:
    """Return the state of a tree; make it if there is none.

    Args:
        root: the tree.
        base: the folder for all trees; None for the default.
        files: what changes the disk.

    Raises:
        Refused: the folder is in the tree, or others could change what is in it.
    """
    base = _checked(root, base)
    files.make_folder(base)
    ignore = base / ".gitignore"
    if not ignore.exists():
        # A scan of the user's whole home must not find the originals.
        files.create(Place(str(ignore)), b"*\n", 0o600, None)
    key = _key(base) or _new_key(base, files)
    state = _of(root, base, key)
    files.make_folder(state.folder)
    return state


def existing(root: Path, base: Path | None) -> State | None:
    """Return the state of a tree, or None when there is none.

    Raises:
        Refused: the folder is in the tree, or others could change what is in it.
    """
    base = _checked(root, base)
    key = _key(base)
    if key is None:
        return None
    state = _of(root, base, key)
    return state if state.folder.is_dir() else None


def _of(root: Path, base: Path, key: bytes) -> State:
    real = root.resolve()
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:32]
    return State(base / "trees" / name, real, key)


def _checked(root: Path, base: Path | None) -> Path:
    if base is None:
        base = default_folder()
    elif base.resolve().is_relative_to(root.resolve()):
        raise Refused(f"{base}: the state of a tree is kept outside of the tree (--state-dir)")
    if base.is_symlink():
        raise Refused(f"{base}: it is a symbolic link; name its target (--state-dir)")
    reason = why_mistrusted(base)
    if reason is not None:
        raise Refused(f"the state of this tool is not safe in {base}: {reason}")
    return base.absolute()


def _key(base: Path) -> bytes | None:
    path = base / "key"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        is_own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if not is_own or status.st_mode & 0o077:
            raise Refused(f"{path}: it must be a file that only you can read (chmod 600)")
        key = file.read(_KEY_BYTES + 1)
    if len(key) != _KEY_BYTES:
        raise Refused(f"{path}: it is no key; move {base} away to begin anew")
    return key


def _new_key(base: Path, files: DurableFiles) -> bytes:
    new = Place(str(base / f"key-{secrets.token_hex(8)}"))
    files.create(new, secrets.token_bytes(_KEY_BYTES), 0o600, None)
    # Unlike a rename, a link does not take the place of a key that another process has made.
    with contextlib.suppress(FileExistsError):
        os.link(new.name, base / "key")
    files.remove(new)
    key = _key(base)
    assert key is not None
    return key
