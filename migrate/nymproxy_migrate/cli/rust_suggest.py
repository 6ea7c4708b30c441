"""`rewrite --rust-suggest DIR`: a patch and a module for Rust programs, beside the tree."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from nymproxy._printable import printable
from nymproxy_migrate import diff, outputs, walk, workers
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.rewrite import rust
from nymproxy_migrate.rewrite.rust_uses import MODULE
from nymproxy_migrate.scan import from_here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PATCH = "nymproxy.patch"


def rust_suggest(folder: Path, paths: Sequence[Path]) -> int:
    """Write the suggestion into a folder; 1 if there is anything to do for a human.

    Raises:
        Refused: a path does not exist, or is a pipe or a device.
    """
    walk.refuse_what_is_no_path(paths)
    root = walk.common_root(paths)
    visit = walk.sources(paths, root, ScanOptions(), rust.READ)
    suggestion = workers.call(rust.suggest, list(visit.results.values()))
    if isinstance(suggestion, workers.Failure):
        raise Refused(f"the Rust programs here cannot be read together: {suggestion.reason}")
    left = (
        f"{printable(from_here(root, path))}: {printable(what)}\n" for path, what in suggestion.left
    )
    sys.stderr.write("".join(left))
    if not suggestion.changes:
        sys.stdout.write("no Rust program here can be changed this way\n")
        return int(bool(suggestion.left))
    folder.mkdir(parents=True, exist_ok=True)
    outputs.write(folder / PATCH, diff.unified(suggestion.changes))
    outputs.write(folder / f"{MODULE}.rs", rust.module_source().encode())
    sys.stdout.write(f"{folder / PATCH}: {len(suggestion.changes)} files to change\n")
    for home in suggestion.homes:
        source, target = folder / f"{MODULE}.rs", from_here(root, str(home))
        sys.stdout.write(f"cp {shlex.quote(str(source))} {shlex.quote(target)}\n")
    where = f"{shlex.quote(from_here(root, '.'))} < {shlex.quote(str(folder / PATCH))}"
    sys.stdout.write(f"patch -p1 -d {where}\n")
    return 1
