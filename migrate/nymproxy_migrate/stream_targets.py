"""Where both ends are known: which clients of a tree can speak the stream protocol at once.

A server that this tool rewrites or has rewritten speaks it. A client may when its server is known
to be one of those: by the address in the server's config directory, or because somebody decides so.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate import config_dirs, formats, new_commands, walk
from nymproxy_migrate.finders import FINDERS
from nymproxy_migrate.judge import judge
from nymproxy_migrate.judged import OldInvocation, Role
from nymproxy_migrate.model import Unparsable
from nymproxy_migrate.rewrite.commands import effective_config_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy_migrate.model import SourceFile
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.words import Command


def look(
    paths: Sequence[Path], options: ScanOptions, root: Path, given_up: walk.GivenUp
) -> ScanOptions:
    """Return the options with the addresses of the servers that the tree starts."""
    visit = walk.visit(paths, root, _addresses_of_servers, options, given_up)
    return replace(options, stream_servers=options.stream_servers.union(*visit.results.values()))


def _addresses_of_servers(source: SourceFile) -> frozenset[str] | None:
    """Return the addresses of the servers that a file starts; this runs in a worker."""
    if not (b"nymproxy" in source.data or FINDERS[0].wants(source)):
        return None
    try:
        directories = {*map(_directory_of, formats.find_commands(source))} - {None}
    except Unparsable:
        return None  # the scan itself will say so
    addresses = (config_dirs.address_of(Path(str(each)))[0] for each in directories)
    return frozenset(each for each in addresses if each is not None)


def _directory_of(command: Command) -> str | None:
    """Return the config directory of a server, old or new, when it is known here."""
    directory = None
    new = new_commands.read(command)
    judged = judge(command)
    if new is not None and new.role is Role.SERVER:
        directory = None if new.is_compat else new.config_dir
    elif isinstance(judged, OldInvocation) and judged.role is Role.SERVER:
        directory = effective_config_dir(judged)
    return directory if directory is not None and "$" not in directory else None
