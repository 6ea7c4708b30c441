"""Server commands whose HOME the file does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.cli.old_flags import DEFAULT_CONFIG_DIR
from nymproxy_migrate.judged import Role
from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.rules._started import Started

RULE = Rule(
    code="NYM051",
    kind=Kind.CONFIG_DIR,
    title="a config directory relative to an unknown HOME",
    why=(
        "The old binary appended `--config-dir` to the HOME of the user that runs it, and this "
        "file does not say which that is. `--compat-config-dir` does the same when the command "
        "runs, and the server refuses to start where no old keys are."
    ),
    next=(
        "Look on the machine for the directory, and back it up; `nymproxy-migrate doctor` says "
        "which address is in it."
    ),
    example_before="command: [proxy_server, -u, 'app:80', -c, /data]",
    action=Action.INFO,
    needs_human=False,
)


def find(started: Started) -> Iterator[Finding]:
    """Yield a directory that is below nobody knows which HOME."""
    invocation = started.invocation
    if invocation.role is not Role.SERVER or started.directory is not None:
        return
    if started.options.decisions.get("NYM062") != "as-written":
        flag = invocation.flag("config-dir")
        value = DEFAULT_CONFIG_DIR if flag is None else (flag.text or "its --config-dir")
        user = invocation.command.context.home.user
        whose = f"the home of the user {user}" if user else "HOME"
        message = f"the config directory is {whose} followed by {value}, wherever that is"
        yield RULE.finding(started.source, started.span_of("config-dir"), message)
