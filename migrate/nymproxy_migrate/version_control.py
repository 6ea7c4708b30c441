"""Which names lead to what a version control keeps, on any file system that a tree may lie on.

What is in there is no part of a project: a hook or a setting of git runs programs. A tree that was
written elsewhere, or is shared, may lie on a file system that takes other names for these: one that
folds case, HFS+, which leaves out invisible characters, or NTFS, with its short names, streams, and
ends that it leaves off. The rules are those by which git itself refuses such names (its functions
``is_hfs_dotgit`` and ``is_ntfs_dotgit``).
"""

from __future__ import annotations

_NAMES = frozenset({".git", ".hg", ".svn", ".bzr", ".nymproxy-migrate"})

_SHORT_NAMES = frozenset(f"{name[1:7]}~1" for name in _NAMES)
"""What NTFS also calls the first such entry of a folder."""

_IGNORED_BY_HFS = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)


def is_version_control(name: str) -> bool:
    """Tell whether a file system may take the name of an entry for one of version control."""
    folded = name.translate(_IGNORED_BY_HFS).casefold()
    on_ntfs = folded.partition(":")[0].rstrip(". ")
    return folded in _NAMES or on_ntfs in _NAMES or on_ntfs in _SHORT_NAMES
