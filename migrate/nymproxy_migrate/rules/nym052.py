"""Directories with the keys of an old server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate import config_dirs
from nymproxy_migrate.model import Action, Kind, Span
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nymproxy_migrate.model import Finding, SourceFile

RULE = Rule(
    code="NYM052",
    kind=Kind.CONFIG_DIR,
    title="a config directory, with its Nym address",
    why=(
        "Clients know the server by this address. `nymproxy server` keeps it when it is started "
        "on the same directory; nothing in there is ever rewritten by this tool."
    ),
    next=(
        "Start `nymproxy server` with `--config-dir` naming this directory, with the old server "
        "stopped. `nymproxy address DIRECTORY` prints the address."
    ),
    example_before="tmp/nym-tcp-proxy-server/public_identity.pem",
    action=Action.INFO,
    needs_human=False,
)


def find(source: SourceFile, root: Path) -> Iterator[Finding]:
    """Yield what a directory is whose public key has been found; reads only."""
    directory = (root / source.path).parent
    if source.name != config_dirs.MARK or not config_dirs.is_config_dir(directory):
        return
    if (directory.parent / "config" / "config.toml").exists():
        return  # a native or SOCKS5 client: not one of the old proxies
    shown = source.path.rpartition("/")[0] or "."
    address, problem = config_dirs.address_of(directory)
    if address is not None:
        message = f"{shown} holds the keys of the Nym address {address}"
        yield RULE.finding(source, Span(0, 0), message)
        return
    message = f"{shown} holds keys, but no Nym address can be read: {problem}"
    yield RULE.finding(source, Span(0, 0), message, action=Action.REPORT, needs_human=True)
