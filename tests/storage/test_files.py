"""Directories and files of keys: who can enter, and what stands in the way."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from nymproxy.errors import StorageError, UnsafePermissions
from nymproxy.mixnet.storage.files import (
    TRUST_VARIABLE,
    make_private_directory,
    refuse_mistrusted,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_directory_is_made_for_its_owner_alone_and_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "parent" / "keys"
    make_private_directory(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (path / "key").write_bytes(b"k")
    make_private_directory(path)
    assert (path / "key").read_bytes() == b"k"


def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"something of the user's")
    with pytest.raises(StorageError, match="is no directory: name another one"):
        make_private_directory(path)
    assert path.read_bytes() == b"something of the user's"


def test_keys_are_not_put_where_others_can_put_theirs_unless_that_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    path = tmp_path / "shared" / "keys"
    make_private_directory(path)
    refuse_mistrusted(path)
    path.parent.chmod(0o777)
    with pytest.raises(UnsafePermissions, match=f"set {TRUST_VARIABLE}=1"):
        refuse_mistrusted(path)
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    refuse_mistrusted(path)
