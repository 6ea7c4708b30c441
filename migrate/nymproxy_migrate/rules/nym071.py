"""What looks for an old program by the name of its process or file."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate import names
from nymproxy_migrate.model import Action, Evidence, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.words import Command, Word

RULE = Rule(
    code="NYM071",
    kind=Kind.COMMAND_CLIENT,
    title="an old program is looked for by its name",
    why=(
        "Once its command is rewritten, the process is called nymproxy: what watches, stops or "
        "protects it by the old name finds nothing, and may start it again and again."
    ),
    next=(
        "Look for the unit, a PID file or the port instead, or for `nymproxy client` and "
        "`nymproxy server` with `pgrep -f`. Commands of this program stay as they are until you "
        "have done so, or say `--decide NYM071=rewrite`."
    ),
    example_before="pgrep nym-proxy-server || nym-proxy-server -u 127.0.0.1:22",
    safety=Safety.DECISION,
    choices=("wait", "rewrite"),
)

_BY_NAME = frozenset(
    {"pgrep", "pkill", "killall", "pidof", "pidwait", "skill", "snice", "which", "type", "hash"}
    | {"test", "[", "[[", "setcap", "getcap", "lsof", "fuser", "check_procs", "iptables", "ps"}
    | {"ip6tables", "nft", "aa-enforce", "aa-complain", "Get-Process", "Stop-Process", "taskkill"}
    | {"tasklist", "monit", "sudoers", "logrotate", "AppArmor", "NRPE"}
)
_LOOKUPS = frozenset({"which", "command", "type", "hash"})
_NOT_ITSELF = re.compile(r"\[(\w)\]")
"""``grep [n]ym`` does not find itself."""
_CONDITIONS = re.compile(r"(?:Condition|Assert)(?:PathExists|FileIsExecutable|FileNotEmpty)")
_LIST_OF_PROCESSES = re.compile(rb"\b(?:ps|ss|netstat|lsof|top|tasklist)\b[^\n;&]*\|\s*$")
_FIELD = re.compile(r"(?:_COMM|_EXE|_CMDLINE|SYSLOG_IDENTIFIER)=|--identifier=")
_LOG_FILE = re.compile(r"\S*/log/\S*|\S+\.log\b")


def find(command: Command, source: SourceFile) -> Iterator[Finding]:
    """Yield a command that looks for a process or file by an old name."""
    text = " ".join(_LOG_FILE.sub("", _shown(word)) for word in command.words[1:])
    text = _NOT_ITSELF.sub(r"\1", text)
    role = names.mentioned_role(text)
    if role is None or not _looks_by_name(command, source, text):
        return
    before = source.data[max(0, command.span.start - 2) : command.span.start]
    if before.endswith((b"$(", b"`")) and _shown(command.words[0]) in _LOOKUPS:
        return  # a lookup: the command that it is for is found as that
    program = _shown(command.words[0])
    yield RULE.finding(
        source,
        command.span,
        f"{program} looks for the old {role} by its name",
        kind=Kind.COMMAND_SERVER if role == "server" else Kind.COMMAND_CLIENT,
        needs=None if names.is_ours(text) else Evidence.OLD_PROXIES,
    )


def waiting(finding: Finding, place: str) -> Finding:
    """Return the finding of a command that is not rewritten before a reference is decided."""
    return replace(
        finding,
        message=f"{finding.message}; first {place} has to be decided, which looks for it by name",
        action=Action.REPORT,
        safety=Safety.DECISION,
        needs_human=True,
        edits=(),
        next=RULE.next,
    )


def _looks_by_name(command: Command, source: SourceFile, text: str) -> bool:
    program = _shown(command.words[0]).rpartition("/")[2]
    if program in _BY_NAME or _CONDITIONS.match(program):
        return True
    if program == "command":
        return any(word.literal in {"-v", "-V"} for word in command.words[1:2])
    if program == "journalctl":
        given = {word.literal for word in command.words[1:]}
        return "-t" in given or _FIELD.search(text) is not None
    if program in {"grep", "egrep", "awk"}:
        line = source.data.rfind(b"\n", 0, command.span.start) + 1
        return _LIST_OF_PROCESSES.search(source.data[line : command.span.start]) is not None
    return False


def _shown(word: Word) -> str:
    return "".join(piece.text for piece in word.pieces)
