"""Server commands whose HOME the file does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.cli.old_flags import DEFAULT_CONFIG_DIR
from nymproxy_migrate.model import Kind
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
        "file does not say which that is. With another directory the server would get a new Nym "
        "address."
    ),
    next=(
        "Look on the machine for the directory, and write its full path into the new command; or "
        "start `nymproxy server` with `--compat-config-dir`, which does what the old binary did."
    ),
    example_before="command: [proxy_server, -u, 'app:80', -c, /data]",
)


def find(started: Started) -> Iterator[Finding]:
    """Yield a directory that is below nobody knows which HOME."""
    if started.unknown_home:
        flag = started.invocation.flag("config-dir")
        value = DEFAULT_CONFIG_DIR if flag is None else (flag.text or "its --config-dir")
        user = started.invocation.command.context.home.user
        whose = f"the home of the user {user}" if user else "HOME"
        message = (
            f"the config directory is {whose} followed by {value}, and this file does not say it"
        )
        yield RULE.finding(started.source, started.span_of("config-dir"), message)
