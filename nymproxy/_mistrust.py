"""Whether other users of the machine could put files of theirs in the place of ours.

The rules are those of arti's fs-mistrust: a folder and all above it belong to this user or to root
and cannot be written by others. A group is trusted when it is the user's own, of the same name and
without other members; a folder with the sticky bit (``/tmp``) may stand above, as nobody can
rename there what is not theirs.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_ROOT = 0


def why_mistrusted(folder: Path) -> str | None:
    """Return why others could change what is in a folder, or None when they cannot.

    Args:
        folder: it need not be there; then the folders above it count.

    Raises:
        OSError: it cannot be looked at.
    """
    real = folder.resolve()
    for place in (real, *real.parents):
        try:
            status = place.stat()
        except FileNotFoundError:
            continue
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid not in (_ROOT, os.geteuid()):
            return f"{place} belongs to another user"
        if mode & stat.S_ISVTX and place != real:
            continue
        if mode & 0o002 or (mode & 0o020 and not _is_own_group(status.st_gid)):
            return f"{place} can be written by others (mode {mode:04o}): run  chmod go-w '{place}'"
    return None


def _is_own_group(group: int) -> bool:
    import grp
    import pwd

    if group == _ROOT:
        return True
    try:
        user = pwd.getpwuid(os.geteuid())
        found = grp.getgrgid(group)
    except KeyError:
        return False
    return (
        group == user.pw_gid
        and found.gr_name == user.pw_name
        and set(found.gr_mem) <= {user.pw_name}
    )
