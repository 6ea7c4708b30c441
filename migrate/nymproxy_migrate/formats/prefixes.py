"""Words before a program that stay: ``exec``, ``nohup``, ``sudo -u nym``, ``env A=b``, ...

What follows them is in command position. Some change HOME or where the program comes from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nymproxy_migrate.model import BinarySource, CommandContext, Home, HomeSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy_migrate.words import Word

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_NO_FLAGS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Prefix:
    """How one of these programs reads its own words.

    Attributes:
        short: letters of options that take a value.
        long: long options that take a value as a word of its own.
        positionals: words of its own before the program, such as the seconds of ``timeout``.
        assignments: it takes ``NAME=value`` words.
        home: ``"same"``, ``"user"`` (that of a user named by ``-u`` or a positional) or
            ``"unknown"``.
        image: the program comes from a container image.
    """

    short: str = ""
    long: frozenset[str] = _NO_FLAGS
    positionals: int = 0
    assignments: bool = False
    home: str = "same"
    image: bool = False


_CONTAINER_RUN = Prefix(
    short="eplvumwhac",
    long=frozenset(
        [
            "--env",
            "--env-file",
            "--publish",
            "--volume",
            "--mount",
            "--user",
            "--name",
            "--network",
            "--net",
            "--memory",
            "--cpus",
            "--workdir",
            "--hostname",
            "--add-host",
            "--restart",
            "--label",
            "--log-driver",
            "--log-opt",
            "--entrypoint",
            "--platform",
            "--ulimit",
            "--cap-add",
            "--cap-drop",
            "--security-opt",
            "--device",
            "--dns",
            "--expose",
            "--ip",
            "--pull",
            "--tmpfs",
            "--stop-signal",
            "--stop-timeout",
            "--userns",
            "--pod",
            "--link",
            "--volumes-from",
        ]
    ),
    positionals=1,
    home="unknown",
    image=True,
)
_CONTAINER_EXEC = Prefix(
    short="euwnc",
    long=frozenset(["--env", "--env-file", "--user", "--workdir", "--namespace", "--container"]),
    positionals=1,
    home="unknown",
    image=True,
)

PREFIXES: dict[str, Prefix] = {
    "exec": Prefix(short="a"),
    "nohup": Prefix(),
    "builtin": Prefix(),
    "time": Prefix(short="fo", long=frozenset({"--format", "--output"})),
    "setsid": Prefix(),
    "nice": Prefix(short="n", long=frozenset({"--adjustment"})),
    "ionice": Prefix(short="cnpPu", long=frozenset({"--class", "--classdata"})),
    "chrt": Prefix(positionals=1),
    "taskset": Prefix(positionals=1),
    "stdbuf": Prefix(short="ioe", long=frozenset({"--input", "--output", "--error"})),
    "timeout": Prefix(short="ks", long=frozenset({"--kill-after", "--signal"}), positionals=1),
    "env": Prefix(short="uCS", long=frozenset({"--unset", "--chdir"}), assignments=True),
    "sudo": Prefix(
        short="ugpChDRrtTU",
        long=frozenset(["--user", "--group", "--prompt", "--chdir", "--host", "--role", "--type"]),
        assignments=True,
        home="unknown",
    ),
    "doas": Prefix(short="uC", assignments=True, home="unknown"),
    "gosu": Prefix(positionals=1, home="user"),
    "su-exec": Prefix(positionals=1, home="user"),
    "runuser": Prefix(short="ugG", long=frozenset({"--user", "--group"}), home="unknown"),
    "setpriv": Prefix(
        long=frozenset(["--reuid", "--regid", "--ruid", "--rgid", "--groups", "--securebits"]),
        home="unknown",
    ),
    "chroot": Prefix(positionals=1, home="unknown"),
    "unshare": Prefix(short="SGwR", home="unknown"),
    "nsenter": Prefix(short="tSGw", long=frozenset({"--target"}), home="unknown"),
    "firejail": Prefix(),
    "numactl": Prefix(short="NCmpil"),
    "cgexec": Prefix(short="g"),
    "prlimit": Prefix(),
    "authbind": Prefix(),
    "softlimit": Prefix(short="amdolfcrst"),
    "envdir": Prefix(positionals=1),
    "caffeinate": Prefix(short="tw"),
    "systemd-inhibit": Prefix(),
    "dbus-run-session": Prefix(),
    "chpst": Prefix(short="uUbePnlLmdofcr/"),
    "setuidgid": Prefix(positionals=1),
    "s6-setuidgid": Prefix(positionals=1),
    "tini": Prefix(short="pe"),
    "dumb-init": Prefix(short="r"),
    "catatonit": Prefix(),
    "torsocks": Prefix(short="uPap"),
    "proxychains": Prefix(short="f"),
    "proxychains4": Prefix(short="f"),
    "flock": Prefix(short="wE", positionals=1),
    "systemd-run": Prefix(
        short="pEutMH",
        long=frozenset(
            ["--unit", "--property", "--setenv", "--uid", "--gid", "--description", "--slice"]
        ),
        home="unknown",
    ),
    "systemd-cat": Prefix(short="tp", long=frozenset({"--identifier", "--priority"})),
    "screen": Prefix(short="cehpsStT"),
    "unbuffer": Prefix(),
    "strace": Prefix(short="oesp"),
    "docker run": _CONTAINER_RUN,
    "podman run": _CONTAINER_RUN,
    "docker exec": _CONTAINER_EXEC,
    "podman exec": _CONTAINER_EXEC,
    "kubectl exec": _CONTAINER_EXEC,
}
_TWO_WORDS = frozenset({"docker", "podman", "kubectl"})


@dataclass(frozen=True, slots=True)
class Stripped:
    """How many words are prefixes, and what the rest runs like."""

    count: int
    context: CommandContext


def strip(words: Sequence[Word], context: CommandContext) -> Stripped:
    """Count the words in front of the program, and follow what they change."""
    position = 0
    while position < len(words) and _is_assignment(words[position]):
        context = _assign(words[position], context)
        position += 1
    while position < len(words):
        literal = words[position].literal
        name = "" if literal is None else literal.rpartition("/")[2]
        length = 1
        if name in _TWO_WORDS and position + 1 < len(words):
            name, length = f"{name} {words[position + 1].literal}", 2
        prefix = PREFIXES.get(name)
        if name == "command" and _plain_command(words, position):
            prefix = Prefix()
        if prefix is None or (name == "runuser" and _has_command_option(words[position:])):
            break
        end = _end_of(prefix, words, position + length)
        if end >= len(words):
            break
        context = _follow(prefix, name, words[position:end], context)
        position = end
    prefix_texts = tuple(word.literal or "..." for word in words[:position])
    return Stripped(position, replace(context, prefix=context.prefix + prefix_texts))


def skip_options(
    words: Sequence[Word], position: int, short: frozenset[str], long: frozenset[str]
) -> int:
    """Return the position of the first word that is neither an option nor its value."""
    while position < len(words):
        option = words[position].literal
        if option is None or not option.startswith("-") or option == "-":
            return position
        position += 1
        if option == "--":
            return position
        if option.startswith("--"):
            position += option in long
        else:
            # In a cluster, the first letter that takes a value takes the rest of the word.
            taking = next((at for at, letter in enumerate(option) if letter in short), None)
            position += taking is not None and taking == len(option) - 1
    return position


def container_image(words: Sequence[Word]) -> int:
    """Return the position of the image among the words of ``docker run``."""
    short, long = frozenset(_CONTAINER_RUN.short), _CONTAINER_RUN.long
    return skip_options(words, 0, short, long)


def _end_of(prefix: Prefix, words: Sequence[Word], position: int) -> int:
    position = skip_options(words, position, frozenset(prefix.short), prefix.long)
    position += prefix.positionals
    while prefix.assignments and position < len(words) and _is_assignment(words[position]):
        position += 1
    if position < len(words) and words[position].literal == "--":
        position += 1
    return position


def _plain_command(words: Sequence[Word], position: int) -> bool:
    """``command NAME`` runs NAME; ``command -v NAME`` only looks it up."""
    following = words[position + 1 : position + 2]
    return bool(following) and not following[0].leading_literal.startswith("-")


def _has_command_option(words: Sequence[Word]) -> bool:
    options = iter(words[1:])
    for word in options:
        option = word.literal or ""
        if option in {"-c", "--command"}:
            return True
        if option == "--" or not option.startswith("-"):
            return False
        if option in {"-u", "-g", "-G", "--user", "--group", "--supp-group"}:
            next(options, None)
    return False


def _is_assignment(word: Word) -> bool:
    return _ASSIGNMENT.match(word.leading_literal) is not None


def _assign(word: Word, context: CommandContext) -> CommandContext:
    name, _, value = (word.literal or "").partition("=")
    if word.leading_literal.startswith("HOME="):
        home = Home(HomeSource.LITERAL, value) if value else Home(HomeSource.UNKNOWN)
        context = replace(context, home=home)
    if name and value:
        context = replace(context, environment=(*context.environment, (name, value)))
    return context


def _follow(
    prefix: Prefix, name: str, words: Sequence[Word], context: CommandContext
) -> CommandContext:
    if prefix.home == "unknown":
        context = replace(context, home=Home(HomeSource.UNKNOWN))
    elif prefix.home == "user":
        user = (words[-1].literal or "").partition(":")[0]
        home = (
            Home(HomeSource.USER, "/root", user)
            if user in {"root", "0"}
            else Home(HomeSource.UNKNOWN, None, user or None)
        )
        context = replace(context, home=home)
    if prefix.image:
        context = replace(context, binary=BinarySource.IMAGE)
    if name == "env" and any(word.literal in {"-i", "-", "--ignore-environment"} for word in words):
        context = replace(context, home=Home(HomeSource.UNKNOWN))
    if prefix.assignments:
        for word in words[1:]:
            if _is_assignment(word):
                context = _assign(word, context)
    return context
