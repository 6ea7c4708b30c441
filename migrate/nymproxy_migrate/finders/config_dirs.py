"""Config directories of old servers on this machine: which Nym address is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Finding, Span
from nymproxy_migrate.rewrite.commands import DEFAULT_CONFIG_DIR, effective_config_dir
from nymproxy_migrate.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.judge import OldInvocation
    from nymproxy_migrate.model import SourceFile
    from nymproxy_migrate.options import ScanOptions

MARK = "public_identity.pem"
"""The file by which a directory is recognised; readable where the private keys are not."""

_LAYOUT = (MARK, "private_identity.pem", "private_encryption.pem", "public_encryption.pem")
DIRECTORIES = ("effective", "as-written")


def find(source: SourceFile, root: Path) -> Iterator[Finding]:
    """Yield what a directory is whose public key has been found; reads only."""
    directory = (root / source.path).parent
    if source.name != MARK or not is_config_dir(directory):
        return
    if (directory.parent / "config" / "config.toml").exists():
        return  # a native or SOCKS5 client: not one of the old proxies
    shown = source.path.rpartition("/")[0] or "."
    address, problem = address_of(directory)
    if address is not None:
        message = f"{shown} holds the keys of the Nym address {address}"
        yield RULES["NYM052"].finding(source, Span(0, 0), message)
        return
    message = f"{shown} holds keys, but no Nym address can be read: {problem}"
    yield RULES["NYM052"].finding(
        source, Span(0, 0), message, action=Action.REPORT, needs_human=True
    )


def is_config_dir(directory: Path) -> bool:
    """Tell whether a directory has the files that an old server makes."""
    try:
        return all((directory / name).is_file() for name in _LAYOUT)
    except OSError:
        return False


def address_of(directory: Path) -> tuple[str | None, str]:
    """Return the Nym address of a directory, or None and why there is none."""
    from nymproxy import StorageError, nym_address_of

    try:
        return str(nym_address_of(directory)), ""
    except StorageError as error:
        return None, str(error)


def address_change(
    invocation: OldInvocation, source: SourceFile, span: Span, options: ScanOptions
) -> Iterator[Finding]:
    """Yield the decision about a server whose keys are not where the old program looks."""
    flag = invocation.flag("config-dir")
    written = DEFAULT_CONFIG_DIR if flag is None else flag.text
    effective = effective_config_dir(invocation)
    if written is None or not written.startswith("/") or written == effective:
        return
    looks_in = effective or "HOME followed by that path"
    decided = options.decisions.get("NYM062")
    if decided == "as-written":
        message = f"by your decision the keys are in {written}; the old server looks in {looks_in}"
        yield _decided(source, span, message)
        return
    if not is_config_dir(Path(written)):
        return
    if effective is not None and is_config_dir(Path(effective)):
        return
    address, _ = address_of(Path(written))
    message = (
        f"this machine has keys in {written} (Nym address {address or 'not chosen yet'}), but the "
        f"old server looks in {looks_in}"
    )
    if decided is not None:
        yield _decided(source, span, message)
        return
    yield RULES["NYM062"].finding(source, span, message, decision=DIRECTORIES)


def _decided(source: SourceFile, span: Span, message: str) -> Finding:
    return RULES["NYM062"].finding(
        source, span, message, action=Action.INFO, needs_human=False, decision=DIRECTORIES
    )
