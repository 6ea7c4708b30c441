"""Env files of the old programs (nym-network-defaults 1.21.6 src/env_setup.rs), and their traps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate import formats, new_commands
from nymproxy_migrate.judge import judge
from nymproxy_migrate.model import Action, Finding, Span, Unparsable
from nymproxy_migrate.rules import RULES

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
_CODES = {"nym-api-shadowed": "NYM040", "unquoted-json": "NYM041"}
_KEY_OF = {
    "NYM040": frozenset({b"NYM_API", b"API_VALIDATOR"}),
    "NYM041": frozenset({b"NYM_APIS", b"NYM_VPN_APIS"}),
}
_ENVIRONMENT = re.compile(
    rb"(?m)^[ \t]*(?:export[ \t]+|ENV[ \t]+|Environment[ \t]*=[ \t]*[\"']?|-[ \t]+[\"']?)?"
    rb"(CONFIGURED)[ \t]*[=:]"
)


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield what the old programs make of an env file that is not what it says."""
    if not _NAME.match(source.name):
        yield from _environment(source)
        return
    settings = [(match[1], Span(*match.span(1))) for match in _SETTING.finditer(source.data)]
    keys = {key.decode("ascii") for key, _ in settings}
    if not keys & _NETWORK_KEYS:
        return
    yield from _network(source, settings)
    for key, span in settings:
        if key == b"CONFIGURED":
            message = "this file sets CONFIGURED, which is right for --env-path only"
            yield RULES["NYM043"].finding(
                source, span, message, action=Action.INFO, needs_human=False
            )


def _network(source: SourceFile, settings: list[tuple[bytes, Span]]) -> Iterator[Finding]:
    from nymproxy import ConfigurationError, NetworkDetails

    try:
        details = NetworkDetails.from_env_text(source.data.decode(), {})
    except UnicodeDecodeError as error:
        message = "the old programs refuse this file: it is not UTF-8 text"
        yield RULES["NYM042"].finding(source, Span(error.start, error.start), message)
        return
    except ConfigurationError as error:
        message = f"the old programs refuse this file: {error}"
        yield RULES["NYM042"].finding(source, _line(source, str(error)), message)
        return
    for warning in details.warnings:
        code = _CODES.get(warning.code)
        if code is None:
            continue
        spans = [span for key, span in settings if key in _KEY_OF[code]]
        named = [span for span in spans if span.of(source.data).decode() in warning.message.split()]
        place = (named or spans or [Span(0, 0)])[0]
        yield RULES[code].finding(source, place, warning.message)


def _line(source: SourceFile, message: str) -> Span:
    found = _LINE_NUMBER.search(message)
    number = int(found[1]) if found else 1
    start = sum(len(line) + 1 for line in source.data.split(b"\n")[: number - 1])
    end = source.data.find(b"\n", start)
    start = min(start, len(source.data))
    return Span(start, end if end >= start else len(source.data))


def _environment(source: SourceFile) -> Iterator[Finding]:
    """Yield where a file that starts a proxy sets ``CONFIGURED`` in its environment."""
    places = [Span(*match.span(1)) for match in _ENVIRONMENT.finditer(source.data)]
    if not places or not _starts_proxy(source):
        return
    for place in places:
        message = "CONFIGURED is in the environment of a proxy, so its --env-path is not loaded"
        yield RULES["NYM043"].finding(source, place, message)


def _starts_proxy(source: SourceFile) -> bool:
    try:
        return any(
            judge(command) is not None or new_commands.read(command) is not None
            for command in formats.find_commands(source)
        )
    except Unparsable:
        # The finder of commands says so.
        return False
