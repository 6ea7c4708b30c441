"""Steps that a shell runs: GitHub and GitLab workflows, CircleCI, Drone, cloud-init and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.formats.yaml_nodes import Document, get, text_value
from nymproxy_migrate.formats.yaml_words import list_command, shell_commands
from nymproxy_migrate.model import CommandContext, Unparsable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.yaml_nodes import YamlNode as Node

SCRIPT_KEYS = frozenset(
    {
        "run",
        "script",
        "before_script",
        "after_script",
        "commands",
        "bash",
        "cmds",
        "runcmd",
        "bootcmd",
        "postCreateCommand",
        "postStartCommand",
        "onCreateCommand",
    }
)
_GENERIC_KEYS = frozenset({"command", "cmd", "exec", "start"})
_OTHER_SHELLS = frozenset({"pwsh", "powershell", "python", "cmd"})


def find(document: Document, node: Node, *, has_image: bool) -> Iterator[Found]:
    """Yield the commands of the steps that a mapping holds."""
    step_shell = (text_value(get(node, "shell")) or "bash").split(" ")[0]
    if step_shell in _OTHER_SHELLS:
        return
    for key, value in node.value:
        is_script = key.value in SCRIPT_KEYS
        if not is_script and (key.value not in _GENERIC_KEYS or has_image):
            continue
        try:
            yield from _steps(document, value, is_script=is_script)
        except Unparsable as error:
            yield error


def _steps(document: Document, value: Node, *, is_script: bool) -> Iterator[Found]:
    format_name = "CI step" if is_script else "YAML value"
    if value.id == "scalar":
        yield from shell_commands(document, value, format_name)
    elif value.id == "sequence" and is_script:
        for item in value.value:
            if item.id == "scalar":
                yield from shell_commands(document, item, format_name, flow=bool(value.flow_style))
            elif item.id == "sequence":  # runcmd of cloud-init: a list without a shell
                yield from list_command(
                    document, [item], CommandContext(format_name), lambda text: text
                )
