"""nymproxy_migrate.outputs: a file is there whole, with its mode, and devices stay devices."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from nymproxy_migrate import outputs


def test_new_and_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for path in (Path("a"), Path("sub/a"), tmp_path / "b"):
        outputs.write(path, b"one")
        path.chmod(0o640)
        outputs.write(path, b"two")
        assert path.read_bytes() == b"two"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "a", "b", "sub"]


def test_devices(tmp_path: Path) -> None:
    outputs.write(Path("/dev/null"), b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        outputs.write(tmp_path / "no/such", b"x")
    assert caught.value.filename == str(tmp_path / "no/such")
