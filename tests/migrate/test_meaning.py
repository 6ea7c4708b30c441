"""Each rewrite of the corpus through both parsers: the same flags, directory and Nym address.

The old side is read by the rules of the old parser, the new side by ``nymproxy`` itself; both are
asked which config directory they use with HOME set, unset, and of another user.
"""

from __future__ import annotations

import pwd
import tarfile
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from nymproxy import nym_address_of
from nymproxy.cli import client as client_command
from nymproxy.cli import server as server_command
from nymproxy.cli.program import run
from nymproxy.cli.server import effective_config_dir, expect_keys, old_home
from nymproxy.cli.settings import ClientSettings, ServerSettings
from nymproxy.errors import ConfigurationError
from nymproxy_migrate import formats, new_commands
from nymproxy_migrate.changes import changes_of
from nymproxy_migrate.formats import markdown
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.judge import judge
from nymproxy_migrate.judged import OldInvocation, Role
from nymproxy_migrate.model import HomeSource, SourceFile, Unparsable
from nymproxy_migrate.scan import scan
from nymproxy_migrate.words import Command, PieceKind
from tests.migrate.corpus_cases import Case, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nymproxy_migrate.words import Word

ARCHIVE = Path(__file__).resolve().parents[1] / "vectors" / "rust_config_dir.tar"
CASES = [case for case in load() if case.expected]
FIELDS = {
    "listen-port": "listen_port",
    "close-timeout": "close_timeout_seconds",
    "client-pool-reserve": "client_pool_reserve",
}
PAIRS: dict[str, list[tuple[OldInvocation, Command]]] = {}
"""By the name of the case: a scan takes longer than all that is asked about its result."""
PARSED: dict[tuple[str, ...], ClientSettings | ServerSettings] = {}
OLD_DEFAULT = "/tmp/nym-tcp-proxy-server"


def value(word: Word, at: int = 0) -> str:
    """Return what a word is when it runs: every variable has a value of its own."""
    first, *rest = word.pieces
    pieces = [(first.kind, first.text[at:]), *((each.kind, each.text) for each in rest)]
    # Ports and times are numbers, whatever the variable.
    return "".join(text if kind is PieceKind.LITERAL else str(len(text)) for kind, text in pieces)


def commands(path: str, data: bytes) -> list[Command]:
    if path.endswith(".md"):
        return [
            command
            for block in markdown.find(Text.whole(data))
            for command in readable(formats.find_in_text(block.name, block.text))
        ]
    return list(readable(formats.read_commands(SourceFile(path, data))))


def readable(found: Iterable[Command | Unparsable]) -> Iterator[Command]:
    try:
        yield from (each for each in found if isinstance(each, Command))
    except Unparsable:
        return


def new_of(path: str, data: bytes) -> list[Command]:
    """Return the commands of a file that are new ones."""
    return [each for each in commands(path, data) if new_commands.read(each)]


def pairs(case: Case) -> list[tuple[OldInvocation, Command]]:
    """Return each old command that is rewritten, with the new one."""
    if case.name not in PAIRS:
        with tempfile.TemporaryDirectory() as folder:
            PAIRS[case.name] = list(_pairs(case, Path(folder) / "tree"))
    return PAIRS[case.name]


def _pairs(case: Case, root: Path) -> Iterator[tuple[OldInvocation, Command]]:
    case.make(root)
    changes = {each.path: each for each in changes_of(scan([root], case.options))}
    for path, change in changes.items():
        old = [judge(command) for command in commands(path, change.before)]
        starts = {edit.span.start for edit in change.edits}
        olds = [
            each
            for each in old
            if isinstance(each, OldInvocation) and each.program[0].span.start in starts
        ]
        # Those that were new before stand among the others.
        stayed = Counter(words_of(each) for each in new_of(path, change.before))
        news = []
        for each in new_of(path, change.after):
            if stayed[words_of(each)]:
                stayed[words_of(each)] -= 1
            else:
                news.append(each)
        if olds:
            assert len({each.command.span for each in olds}) == len({each.span for each in news})
            yield from zip(olds, news, strict=True)


def words_of(command: Command) -> tuple[str, ...]:
    return tuple(value(word) for word in command.words)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[ClientSettings | ServerSettings]:
    """What the new commands are given by their own parser, instead of running."""
    taken: list[ClientSettings | ServerSettings] = []
    for module in (client_command, server_command):
        monkeypatch.setattr(module, "run", taken.append)
    return taken


def parsed(
    command: Command, taken: list[ClientSettings | ServerSettings]
) -> ClientSettings | ServerSettings:
    words = tuple(value(word) for word in command.words[1:])
    if words not in PARSED:
        taken.clear()
        assert run(list(words)) == 0, command
        (PARSED[words],) = taken
    return PARSED[words]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_flags_and_directory_keep_their_meaning(
    case: Case,
    taken: list[ClientSettings | ServerSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for old, command in pairs(case):
        if old.flag("help") is not None:
            continue
        flags = {flag.name: value(flag.value, flag.value_at) for flag in old.flags if flag.value}
        settings = parsed(command, taken)
        assert isinstance(settings, ClientSettings) == (old.role is Role.CLIENT)
        for name, given in flags.items():
            field = getattr(settings, FIELDS.get(name, name.replace("-", "_")))
            if name in FIELDS:
                assert field == float(given), name
            elif isinstance(field, list | tuple):
                assert list(field) == [given]  # more of them is what only the new command takes
            else:
                assert str(field) == given, name
        if isinstance(settings, ServerSettings):
            assert settings.accept.protocols == ("legacy", "stream")
            _same_directory(old, settings, flags.get("config-dir"), case, monkeypatch)


def _same_directory(
    old: OldInvocation,
    settings: ServerSettings,
    given: str | None,
    case: Case,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = SimpleNamespace(pw_dir="/home/of-the-account")
    monkeypatch.setattr(pwd, "getpwuid", lambda user: other)
    home = old.command.context.home
    by_file = home.value if home.source is HomeSource.LITERAL else None
    for environ in ({"HOME": "/home/a"}, {"HOME": "/srv/other user"}, {"HOME": ""}, {}):
        if by_file is not None:
            environ = {"HOME": by_file}
        # nym-sdk src/tcp_proxy/bin/proxy_server.rs and the crate dirs.
        used = (environ.get("HOME") or other.pw_dir) + (OLD_DEFAULT if given is None else given)
        if case.options.decisions.get("NYM062") == "as-written":
            used = OLD_DEFAULT if given is None else given
        new = effective_config_dir(
            settings.config_dir, compat=settings.compat_config_dir, home=old_home(environ)
        )
        assert new == Path(used), environ


def test_every_rewrite_has_been_compared() -> None:
    """Those of trees in which nothing old is left change the wire of new commands alone."""
    assert [case.name for case in CASES if not pairs(case)] == ["shell-finish-stream"]


def test_the_last_step_changes_nothing_but_the_wire(
    tmp_path: Path, taken: list[ClientSettings | ServerSettings]
) -> None:
    (case,) = (each for each in CASES if each.name == "shell-finish-stream")
    case.make(tmp_path / "tree")
    (change,) = changes_of(scan([tmp_path / "tree"], case.options))
    before, after = (
        [parsed(each, taken) for each in new_of(change.path, data)]
        for data in (change.before, change.after)
    )
    assert len(before) == len(after) == 1
    assert isinstance(before[0], ClientSettings)
    assert isinstance(after[0], ClientSettings)
    assert replace(before[0], wire=after[0].wire) == after[0]
    assert after[0].wire.value == "stream"


@pytest.mark.parametrize("home", ["set", "unset", "of another user"])
def test_the_nym_address_stays(
    home: str,
    tmp_path: Path,
    taken: list[ClientSettings | ServerSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "made", filter="data")
    (made,) = (tmp_path / "made").iterdir()
    address = nym_address_of(made)
    account = SimpleNamespace(pw_dir="")
    monkeypatch.setattr(pwd, "getpwuid", lambda user: account)
    seen = 0
    for case in CASES:
        for old, command in pairs(case):
            flag = old.flag("config-dir")
            given = OLD_DEFAULT
            if flag is not None and flag.value is not None:
                given = value(flag.value, flag.value_at)
            is_asked = old.role is Role.CLIENT or old.flag("help") is not None
            if is_asked or "NYM062" in case.options.decisions:
                continue
            account.pw_dir = str(tmp_path / f"account-{seen}")
            environ = {} if home == "unset" else {"HOME": str(tmp_path / f"{home}-{seen}")}
            settings = parsed(command, taken)
            assert isinstance(settings, ServerSettings)
            keys = Path((environ.get("HOME") or account.pw_dir) + given)
            new = effective_config_dir(
                settings.config_dir, compat=settings.compat_config_dir, home=old_home(environ)
            )
            with pytest.raises(ConfigurationError, match="no keys"):
                expect_keys(new)
            keys.parent.mkdir(parents=True, exist_ok=True)
            keys.symlink_to(made)
            expect_keys(new)
            assert nym_address_of(new) == address
            seen += 1
    assert seen > 60
