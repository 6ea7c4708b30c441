"""How much memory this process may use: its control group, its limits, the machine."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

_SHARE: Final = 4
_MAXIMUM_BYTES: Final = 1 << 30
_MINIMUM_BYTES: Final = 1 << 24
_UNKNOWN_BYTES: Final = 1 << 30

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUPS: Final = Path("/proc/self/cgroup")


@cache
def default_memory_limit() -> int:
    """Return a quarter of what the process may use, between 16 MiB and 1 GiB; found out once."""
    usable = min((*_cgroup_limits(_CGROUPS, _OWN_CGROUPS), *_process_limits(), _physical_bytes()))
    return max(_MINIMUM_BYTES, min(_MAXIMUM_BYTES, usable // _SHARE))


def _physical_bytes() -> int:
    with suppress(ValueError, OSError, AttributeError):  # no such name, or another system
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _UNKNOWN_BYTES


def _process_limits() -> list[int]:
    try:
        import resource
    except ImportError:  # another system
        return []
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]


def _cgroup_limits(root: Path, own: Path) -> list[int]:
    """Return the limits of the control groups that the process is in, of version 1 and 2."""
    found = []
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                found += _limits_upwards(root, path, "memory.max")
            elif "memory" in controllers.split(","):
                found += _limits_upwards(root / "memory", path, "memory.limit_in_bytes")
    return found


def _limits_upwards(root: Path, path: str, name: str) -> list[int]:
    """Return the limits of a group and of those around it. (In a container, the path may be that
    outside of it, and the group itself is at the root.)"""
    folder = root / path.strip("/")
    found = []
    while True:
        with suppress(OSError, ValueError):  # not there, or "max"
            found.append(int((folder / name).read_text()))
        if folder == root:
            return found
        folder = folder.parent
