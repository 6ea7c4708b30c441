"""Commands whose name or arguments are only known when they run."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM004",
    kind=Kind.COMMAND_CLIENT,
    title="an old command that cannot be read here",
    why=(
        "The program or its arguments come from a variable, eval or template, so a rewrite would "
        "be a guess."
    ),
    next=(
        "Find where the value is set and change it there to `nymproxy client` or `nymproxy server`."
    ),
    example_before='BIN=/opt/nym/nym-proxy-client\n"$BIN" -s ADDRESS',
)
