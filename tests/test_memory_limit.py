"""What a process may use: control groups of both versions, and the machine."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

from nymproxy import _memory_limit
from nymproxy._memory_limit import _cgroup_limits, default_memory_limit

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MIB = 1 << 20


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_version_2_with_the_groups_around_it(tmp_path: Path) -> None:
    own = write(tmp_path / "own", "0::/outer/inner\n")
    write(tmp_path / "outer/inner/memory.max", "max\n")
    write(tmp_path / "outer/memory.max", "5000000\n")
    assert _cgroup_limits(tmp_path, own) == [5_000_000]


def test_version_1_in_a_container_where_the_path_is_that_outside(tmp_path: Path) -> None:
    own = write(tmp_path / "own", "9:memory:/docker/0123\n8:cpu,cpuacct:/docker/0123\n")
    write(tmp_path / "memory/memory.limit_in_bytes", "7000000\n")
    assert _cgroup_limits(tmp_path, own) == [7_000_000]


def test_without_any(tmp_path: Path) -> None:
    assert _cgroup_limits(tmp_path, tmp_path / "missing") == []


def test_the_least_of_all_counts_and_it_is_kept_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def limits(*found: int) -> int:
        monkeypatch.setattr(_memory_limit, "_cgroup_limits", lambda _root, _own: list(found))
        monkeypatch.setattr(_memory_limit, "_process_limits", list)
        monkeypatch.setattr(_memory_limit, "_physical_bytes", lambda: 64 << 30)
        return default_memory_limit.__wrapped__()

    assert limits() == 1024 * MIB
    assert limits(800 * MIB, 2000 * MIB) == 200 * MIB
    assert limits(MIB) == 16 * MIB


def test_another_system_has_no_control_groups_no_limits_and_names_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_memory_limit, "_OWN_CGROUPS", tmp_path / "missing")
    monkeypatch.setitem(sys.modules, "resource", None)
    assert default_memory_limit.__wrapped__() <= 1024 * MIB
    monkeypatch.delattr(os, "sysconf")
    assert default_memory_limit.__wrapped__() == 256 * MIB  # a quarter of a gigabyte


def test_the_limits_of_the_process_count(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {resource.RLIMIT_AS: resource.RLIM_INFINITY, resource.RLIMIT_DATA: 400 * MIB}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], -1))
    assert _memory_limit._process_limits() == [400 * MIB]


def test_this_machine() -> None:
    assert 16 * MIB <= default_memory_limit() <= 1024 * MIB
