"""Tasks of Ansible: the ``command``, ``shell`` and ``raw`` modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.yaml_nodes import Document, get
from nymproxy_migrate.formats.yaml_words import list_command, shell_commands, split_words
from nymproxy_migrate.model import CommandContext, Home, HomeSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.yaml_nodes import YamlNode as Node

_COLLECTIONS = ("", "ansible.builtin.", "ansible.legacy.")
_SHELL = tuple(f"{prefix}{name}" for prefix in _COLLECTIONS for name in ("shell", "raw"))
_COMMAND = tuple(f"{prefix}command" for prefix in _COLLECTIONS[1:])
_CONTEXT = CommandContext("Ansible task", Home(HomeSource.UNKNOWN))


def find(document: Document, task: Node) -> Iterator[Found]:
    """Yield the command of a task."""
    for key, value in task.value:
        if key.value in _SHELL and (key.value != "shell" or get(task, "run") is None):
            text = get(value, "cmd") if value.id == "mapping" else value
            if text is not None and text.id == "scalar":
                yield from shell_commands(document, text, "Ansible task")
        elif key.value in _COMMAND or (key.value == "command" and value.id == "mapping"):
            yield from _module(document, value)


def arguments(task: Node) -> Iterator[Node]:
    """Yield the arguments of the modules of a task: they are read with it."""
    modules = {*_SHELL, *_COMMAND, "command"}
    return (value for key, value in task.value if key.value in modules and value.id == "mapping")


def _module(document: Document, value: Node) -> Iterator[Found]:
    if value.id == "mapping":
        argv = get(value, "argv")
        if argv is not None and argv.id == "sequence":
            yield from list_command(document, [argv], _CONTEXT, lambda text: text)
            return
        text = get(value, "cmd")
    else:
        text = value
    if text is not None and text.id == "scalar":
        words, quoting = split_words(document, text, lambda text: text)
        yield from commands_of(words, _CONTEXT, quoting)
