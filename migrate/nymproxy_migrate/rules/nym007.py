"""Settings around a command: stop signal, stop timeout, volumes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate import names
from nymproxy_migrate.formats import systemd
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Action, Evidence, Kind, Span
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile

RULE = Rule(
    code="NYM007",
    kind=Kind.COMMAND_SERVER,
    title="a service setting that the new program makes use of",
    why=(
        "The old programs died at once on SIGTERM. The new ones close their sessions first, "
        "which takes up to 40 seconds: 30 of grace, and some to tell those that are left."
    ),
    next=(
        "Use KillSignal=SIGTERM and a stop timeout of at least 40 seconds; keep volumes that "
        "hold the config directory."
    ),
    example_before="[Service]\nKillSignal=SIGKILL",
    action=Action.INFO,
    needs_human=False,
)

MIN_STOP_SECONDS = 40
"""Thirty seconds of grace for sessions, and ten to tell their peers and to disconnect."""

_OURS = re.compile(r"nymproxy['\", ]+(?:client|server)|nym-tcp-proxy-server")
_SECONDS = re.compile(r"(\d+)\s*(?:s|sec|seconds?)?$")
_VOLUME = re.compile(rb"[\"' \t:](/[^\s\"':,]*?/tmp/nym-tcp-proxy-server)\b")
_GRACE = re.compile(rb"(?:stop_grace_period|terminationGracePeriodSeconds):[ \t]*[\"']?(\d+)s?\b")


def find(source: SourceFile) -> Iterator[Finding]:
    """Yield the hints about a file that starts one of the proxies, old or new."""
    text = source.data.decode("utf-8", "replace")
    sure = names.is_ours(text) or _OURS.search(text)
    needs = None if sure else Evidence.OLD_PROXIES
    find_in = _unit if source.name.endswith((".service", ".conf")) else _containers
    for span, message in find_in(source):
        yield RULE.finding(source, span, message, needs=needs)


def _unit(source: SourceFile) -> Iterator[tuple[Span, str]]:
    settings = list(systemd.settings(Text.whole(source.data)))
    starts = [
        setting
        for setting in settings
        if setting.key == "ExecStart" and _is_proxy(setting.value.data)
    ]
    if not starts:
        return
    for setting in settings:
        value = setting.value.data.decode("utf-8", "replace").strip()
        span = Span(setting.offset, setting.offset + len(value))
        if setting.key == "KillSignal" and value not in {"SIGTERM", "SIGINT", "15", "2"}:
            message = f"KillSignal={value} ends the new program without closing its sessions"
            yield span, message
        seconds = _SECONDS.match(value)
        if setting.key == "TimeoutStopSec" and seconds and int(seconds[1]) < MIN_STOP_SECONDS:
            message = f"TimeoutStopSec={value} may kill the new program while sessions end"
            yield span, message


def _containers(source: SourceFile) -> Iterator[tuple[Span, str]]:
    for volume in _VOLUME.finditer(source.data):
        path = volume[1].decode("utf-8", "replace")
        message = f"the volume at {path} holds the server's keys: keep it mounted there"
        yield Span(*volume.span(1)), message
    if not _is_proxy(source.data):
        return
    for grace in _GRACE.finditer(source.data):
        if int(grace[1]) < MIN_STOP_SECONDS:
            message = f"{grace[1].decode()} seconds may be too short for sessions to end"
            yield Span(*grace.span()), message


def _is_proxy(data: bytes) -> bool:
    text = data.decode("utf-8", "replace")
    return names.mentions_program(text) or _OURS.search(text) is not None
