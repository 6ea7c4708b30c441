"""Env files of the old programs (nym-network-defaults 1.21.6 src/env_setup.rs), and their traps."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy_migrate import formats, new_commands
from nymproxy_migrate.judge import judge
from nymproxy_migrate.model import Finding, Span, Unparsable
from nymproxy_migrate.rules import nym040, nym041, nym042, nym043

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import SourceFile
    from nymproxy_migrate.options import ScanOptions

_NAME = re.compile(r"^(?:\.env(?:\..+)?|.+\.env(?:\..+)?|env\.\w+)$")
_NETWORK_KEYS = frozenset(
    {"NYM_API", "NYM_APIS", "NYM_VPN_APIS", "NYXD", "API_VALIDATOR", "NYMD_VALIDATOR"}
)
_SETTING = re.compile(rb"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=", re.MULTILINE)
_LINE_NUMBER = re.compile(r"\bline (\d+)\b")
_RULES = (nym040, nym041, nym042, nym043)


@dataclass(slots=True)
class EnvFile:
    """An env file, as the old programs read it.

    Attributes:
        source: the file.
        settings: its keys and where they stand.
        problem: where and why the old programs refuse it.
        warnings: by their code, what they make of it that it does not say.
    """

    source: SourceFile
    settings: list[tuple[str, Span]]
    problem: tuple[Span, str] | None = None
    warnings: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        from nymproxy import ConfigurationError, NetworkDetails

        try:
            details = NetworkDetails.from_env_text(self.source.data.decode(), {})
        except UnicodeDecodeError as error:
            self.problem = Span(error.start, error.start), "it is not UTF-8 text"
        except ConfigurationError as error:
            self.problem = _line(self.source, str(error)), str(error)
        else:
            self.warnings = [(each.code, each.message) for each in details.warnings]

    def warned_of(self, code: str, keys: frozenset[str]) -> Iterator[tuple[Span, str]]:
        """Yield the messages of a warning, each with the setting that it is about."""
        spans = [(key, span) for key, span in self.settings if key in keys]
        for warned, message in self.warnings:
            if warned == code:
                named = [span for key, span in spans if key in message.split()]
                yield (named or [span for _, span in spans] or [Span(0, 0)])[0], message


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield what the old programs make of an env file that is not what it says."""
    if not _NAME.match(source.name):
        places = nym043.places(source)
        if places and _starts_proxy(source):
            yield from (nym043.in_environment(source, place) for place in places)
        return
    settings = [
        (match[1].decode("ascii"), Span(*match.span(1))) for match in _SETTING.finditer(source.data)
    ]
    if _NETWORK_KEYS.isdisjoint(key for key, _ in settings):
        return
    file = EnvFile(source, settings)
    for rule in _RULES:
        yield from rule.find(file)


def _line(source: SourceFile, message: str) -> Span:
    found = _LINE_NUMBER.search(message)
    number = int(found[1]) if found else 1
    start = sum(len(line) + 1 for line in source.data.split(b"\n")[: number - 1])
    end = source.data.find(b"\n", start)
    start = min(start, len(source.data))
    return Span(start, end if end >= start else len(source.data))


def _starts_proxy(source: SourceFile) -> bool:
    try:
        return any(
            judge(command) is not None or new_commands.read(command) is not None
            for command in formats.find_commands(source)
        )
    except Unparsable:
        # The finder of commands says so.
        return False
