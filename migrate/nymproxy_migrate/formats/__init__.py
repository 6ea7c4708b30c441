"""Commands in files: one module for each format, chosen by the file's name and shape."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from nymproxy_migrate.formats import shell, systemd, templates
from nymproxy_migrate.formats.commands import Embedded, Found
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import BinarySource, Unparsable
from nymproxy_migrate.words import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy_migrate.model import SourceFile

    Find = Callable[[Text, str], Iterator[Found]]

_FORMATS: tuple[tuple[str, str], ...] = (
    # By the path; the first that matches counts.
    (r"/(?:monitrc|[\w.-]+\.monit|sudoers|logrotate\.conf|nrpe\.cfg)$"
     r"|/(?:monit|monit\.d|sudoers\.d|logrotate\.d|apparmor\.d|nrpe\.d)/", "watchers"),
    (r"\.(?:sh|bash|zsh|ksh|ash|dash|command|envrc)$|/\.(?:bash|zsh)(?:rc|_profile|_aliases)$"
     r"|/\.profile$|/(?:user-data|userdata|cloud-init)(?:\.txt)?$", "script"),
    (r"\.(?:service|socket|container)$|\.(?:service|socket|container)\.d/[^/]+\.conf$", "systemd"),
    (r"/(?:Dockerfile|Containerfile)(?:\.[\w.-]+)?$|\.[dD]ockerfile$|\.[cC]ontainerfile$",
     "containerfile"),
    (r"\.ya?ml$", "yaml_commands"),
    (r"/Procfile[\w.-]*$", "procfile"),
    (r"/(?:GNU)?[Mm]akefile(?:\.\w+)?$|\.mk$|\.mak$", "makefile"),
    (r"/\.?[Jj]ustfile$|\.just$", "justfile"),
    (r"/\.env(?:\.[\w.-]+)?$|\.env$|/env\.\w+$|/etc/default/[\w.-]+$", "dotenv"),
    (r"\.toml$", "toml_commands"),
    (r"\.(?:json|jsonc|json5|code-workspace)$", "json_commands"),
    (r"\.(?:tf|hcl|nomad)$", "terraform"),
    (r"\.nix$", "nix"),
    (r"\.(?:ini|conf|cfg|supervisor)$|/supervisord?\.conf(?:\.d)?/", "ini"),
    (r"\.pyw?$|/(?:SConstruct|fabfile)$", "python_calls"),
    (r"\.fish$", "fish"),
    (r"\.(?:bat|cmd|ps1|psm1)$", "windows"),
    (r"\.(?:go|js|mjs|cjs|jsx|ts|tsx|rb|php|java|kt|kts|groovy|gradle|cs|rs|swift|scala|lua)$"
     r"|/(?:Jenkinsfile|Vagrantfile|Rakefile|Capfile|Guardfile)[\w.-]*$", "sources"),
    (r"\.plist$", "launchd"),
    (r"/(?:etc/)?cron(?:tab$|\.d/)|\.cron(?:tab)?$|/crontab[\w.-]*$", "crontab"),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), module) for pattern, module in _FORMATS)
_SHELL_SHEBANG = re.compile(rb"#!\s*\S*(?:/|env\s+(?:-\S+\s+)*)(?:(?:ba|da|a|k|z)?sh|openrc-run)\b")
_TABLE = re.compile(
    rb"(?m)^[ \t]*(?:@(?:reboot|\w+ly|midnight)|(?:[\d*/,-]+[ \t]+){4}[\d*/,-]+)[ \t]"
    rb"[^\n]*nym[-_]?proxy[-_ ]"
)
"""A crontab of any name, when it is about the old programs."""
_PYTHON_SHEBANG = re.compile(rb"(?:\xef\xbb\xbf)?#!\s*\S*(?:/|env\s+(?:-\S+\s+)*)python[\d.]*\b")


def find_commands(source: SourceFile) -> Iterator[Command]:
    """Yield every command in command position, whatever it starts.

    Raises:
        Unparsable: the file is not what its name says.
    """
    for found in read_commands(source):
        if isinstance(found, Command):
            yield found


def read_commands(source: SourceFile) -> Iterator[Command | Unparsable]:
    """Yield every command in command position, and every place that does not parse.

    Raises:
        Unparsable: the whole file is not what its name says.
    """
    if source.unit:
        return _with_embedded(systemd.find_in_drop_in(source))
    return find_in_text(source.path, Text.whole(source.data))


def find_in_text(path: str, text: Text) -> Iterator[Command | Unparsable]:
    """Yield what a text holds that is, or becomes, a file of this name.

    Raises:
        Unparsable: the text is not what its name says.
    """
    path, text = templates.without_template(path, text)
    module = _format_of(path, text)
    if module is not None:
        find = cast("Find", importlib.import_module(f"{__name__}.{module}").find)
        yield from _with_embedded(find(text, path))


def _with_embedded(outer: Iterator[Found]) -> Iterator[Command | Unparsable]:
    """Go on in the texts that stand in a text."""
    for found in outer:
        if not isinstance(found, Embedded):
            yield found
        elif found.context is not None:
            yield from _with_embedded(shell.find(found.text, found.context))
        else:
            for inner in find_in_text(found.path, found.text):
                yield with_binary(inner, found.binary)


def with_binary(found: Command | Unparsable, binary: BinarySource) -> Command | Unparsable:
    """Return a command as one of a file that is elsewhere: in an image."""
    if isinstance(found, Unparsable) or found.context.binary is not BinarySource.PATH:
        return found
    return replace(found, context=replace(found.context, binary=binary))


def format_of(path: str, data: bytes) -> str | None:
    """Return the module that reads a file of this name and content, or None."""
    return _format_of(*templates.without_template(path, Text.whole(data)))


def _format_of(path: str, text: Text) -> str | None:
    rooted = f"/{path}"
    for pattern, module in _COMPILED:
        if pattern.search(rooted):
            return module
    if _SHELL_SHEBANG.match(text.data.removeprefix(b"\xef\xbb\xbf")):
        return "script"
    if _PYTHON_SHEBANG.match(text.data):
        return "python_calls"
    if _TABLE.search(text.data):
        return "crontab"
    return None
