"""Steps that install, build or download the old programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate import names
from nymproxy_migrate.installing import INSTALL
from nymproxy_migrate.model import Evidence, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.words import Command

RULE = Rule(
    code="NYM006",
    kind=Kind.COMMAND_CLIENT,
    title="the old programs are installed or built here",
    why=(
        "After the migration nothing needs the Rust binaries; as long as they are installed, "
        "somebody can start them."
    ),
    next=f"Replace the step by `{INSTALL}`, once no command uses the old programs.",
    example_before="cargo install nym-sdk",
)

_REPOSITORY = re.compile(r"nymtech/(?:standalone-tcp-proxies|nym-zcash-grpc-demo|nym)(?:\.git)?/?$")
_OLD_SOURCES = re.compile(r"standalone-tcp-proxies|nym-zcash-grpc-demo")
_SURE = re.compile(
    r"standalone-tcp-proxies|nym-zcash-grpc-demo|\bcargo\b.* install .*\bnym[-_]sdk\b"
)
"""Everything else in the repositories of Nym is for others, too."""
_CARGO_SUBCOMMANDS = frozenset({"install", "build", "b"})
_COPIES = frozenset({"cp", "install", "mv", "ln", "rsync", "scp", "COPY", "ADD"})


def find(command: Command, source: SourceFile) -> Iterator[Finding]:
    """Yield a step that puts the old programs on a machine: cargo, git clone, downloads, copies."""
    message = _installs(command)
    if message is not None:
        text = " ".join(word.literal or "" for word in command.words)
        needs = None if _SURE.search(text) or names.is_ours(text) else Evidence.OLD_PROXIES
        yield RULE.finding(source, command.span, message, kind=_kind(command), needs=needs)


def _installs(command: Command) -> str | None:
    words = [word.literal or "" for word in command.words]
    program, rest = words[0].rpartition("/")[2], words[1:]
    if program == "cargo":
        return _by_cargo([word for word in rest if not word.startswith("+")])
    if program == "git" and "clone" in rest[:3]:
        fetched = any(_REPOSITORY.search(word) for word in rest)
        return "the source of the old programs is fetched here" if fetched else None
    if program in {"curl", "wget"}:
        loaded = any(names.mentions_program(word) for word in rest)
        return "the old program is downloaded here" if loaded else None
    placed = any(names.mentions_program(word.rpartition("/")[2]) for word in rest)
    return "the old program is put in place here" if program in _COPIES and placed else None


def _by_cargo(words: list[str]) -> str | None:
    if not words or words[0] not in _CARGO_SUBCOMMANDS:
        return None
    makes = any(_names_old_crate(word) for word in words[1:])
    return f"cargo {words[0]} makes the old programs here" if makes else None


def _names_old_crate(word: str) -> bool:
    crate = word.partition("@")[0]
    return (
        crate in {"nym-sdk", "nym_sdk"}
        or names.mentions_program(crate.rpartition("/")[2])
        or _OLD_SOURCES.search(word) is not None
        or _REPOSITORY.search(word) is not None
    )


def _kind(command: Command) -> Kind:
    role = next(
        filter(None, (names.mentioned_role(word.literal or "") for word in command.words)), ""
    )
    return Kind.COMMAND_SERVER if role == "server" else Kind.COMMAND_CLIENT
