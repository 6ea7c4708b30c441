"""A systemd unit that starts nymproxy: its program, its HOME, and the directory that follows."""

from __future__ import annotations

import pwd
import tomllib
from dataclasses import dataclass
from pathlib import Path

from nymproxy._bounded_read import read_regular
from nymproxy.cli.old_flags import DEFAULT_CONFIG_DIR
from nymproxy_migrate import new_commands
from nymproxy_migrate.doctor.model import Check, Verdict
from nymproxy_migrate.formats import systemd
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.judged import Role
from nymproxy_migrate.model import Home, HomeSource
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.words import Command

HOME = "unit-home"

_LARGEST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit starts.

    Attributes:
        programs: the programs of its commands that are nymproxy, as they are written.
        server: its server command, if it has one.
        home: the HOME of its commands.
        own_home: HOME of whoever runs the doctor, for units of a user.
    """

    programs: tuple[str, ...]
    server: new_commands.NewInvocation | None
    home: Home
    own_home: str | None

    @property
    def needs_keys(self) -> bool:
        """The server refuses to start without keys: its clients know an address."""
        server = self.server
        return server is not None and server.is_compat and not server.may_be_new


def read_unit(path: Path, own_home: str | None) -> Unit:
    """Read a unit.

    Raises:
        Refused: it starts no nymproxy.
        OSError: it cannot be read.
    """
    text = Text.whole(read_regular(path, _LARGEST_BYTES))
    commands = [each for each in systemd.find(text, str(path)) if isinstance(each, Command)]
    read = ((each, new_commands.read(each) or _of_a_file(each)) for each in commands)
    found = [(each, new) for each, new in read if new is not None]
    if not found:
        raise Refused(f"--unit {path}: it starts no nymproxy; rewrite it first")
    server = next((new for _, new in found if new.role is Role.SERVER), None)
    programs = dict.fromkeys(each.words[0].literal or "" for each, _ in found)
    return Unit(tuple(programs), server, found[0][0].context.home, own_home)


def _of_a_file(command: Command) -> new_commands.NewInvocation | None:
    """Return the first server of the configuration file that a ``nymproxy run`` names."""
    words = [word.literal or "" for word in command.words]
    if len(words) < 2 or words[0].rpartition("/")[2] != "nymproxy" or words[1] != "run":
        return None
    named = [word for word in words[2:] if word.endswith(".toml")]
    path = Path(named[-1].rpartition("=")[2]) if named else None
    if path is None or not path.is_absolute():
        return new_commands.NewInvocation(Role.SERVER, has_unknown_dir=True)
    try:
        document = tomllib.loads(read_regular(path, _LARGEST_BYTES).decode())
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path}: it cannot be read; `nymproxy check -c {path}` says why") from error
    servers = document.get("server")
    first = servers[0] if isinstance(servers, list) and servers else None
    if not isinstance(first, dict):
        return new_commands.NewInvocation(Role.CLIENT)
    given, is_compat = first.get("config_dir"), first.get("compat_config_dir") is True
    if isinstance(given, str) and not is_compat:
        given = str(path.parent / given)
    return new_commands.NewInvocation(
        Role.SERVER,
        config_dir=given if isinstance(given, str) else None,
        is_compat=is_compat,
        may_be_new=first.get("new_identity") is True,
    )


def judge_home(unit: Unit | None) -> tuple[Check, str | None]:
    """Judge the HOME of a unit; also return the directory of its server, if that is known."""
    if unit is None:
        return Check(HOME, Verdict.SKIPPED, "none given (--unit)"), None
    server = unit.server
    if server is None:
        return Check(HOME, Verdict.OK, "only servers need one"), None
    given = server.config_dir
    if given is not None and not server.is_compat:
        if given.startswith("/"):
            cause = "the config directory is a full path, whatever HOME is"
            return Check(HOME, Verdict.OK, cause), given
        cause = "the config directory is relative to a folder that units do not have"
        return Check(HOME, Verdict.FAIL, cause, "give its full path with --config-dir"), None
    if server.has_unknown_dir:
        cause = "the config directory stands in a variable, or in a file of a relative path"
        return Check(HOME, Verdict.WARN, cause, "name what it is with --config-dir"), None
    home, problem = _home_of(unit)
    if home is None:
        following = "add Environment=HOME=/DIR to the unit, or a full path with -c to its command"
        return Check(HOME, Verdict.FAIL, problem, following), None
    directory = home + (DEFAULT_CONFIG_DIR if given is None else given)
    return Check(HOME, Verdict.OK, "it is known, and with it the config directory"), directory


def _home_of(unit: Unit) -> tuple[str | None, str]:
    home = unit.home
    if home.value is not None:
        return home.value, ""
    if home.source is not HomeSource.USER:
        return None, "the config directory is below HOME, and the unit does not say which that is"
    if home.user is None:
        return unit.own_home, "HOME is not set for whoever runs this"
    try:
        return pwd.getpwnam(home.user).pw_dir, ""
    except KeyError:
        return None, "the user of the unit is not known on this machine"
