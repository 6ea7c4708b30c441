"""Server commands whose HOME the file does not tell."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

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
