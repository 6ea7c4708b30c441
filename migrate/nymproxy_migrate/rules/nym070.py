"""Scripts that read the log of the old programs."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM070",
    kind=Kind.LOG_SCRAPE,
    title="a line of the old log is looked for",
    why=(
        "The old programs told the Nym address and the state of sessions in their log only. The "
        "new ones word their log in their own way, and sessions are not in it."
    ),
    next=(
        "Read the address from a file: start `nymproxy server` with `--address-file FILE`; or ask "
        "`nymproxy address DIRECTORY`, which needs no running server."
    ),
    example_before="journalctl -u nym-proxy-server | grep -oP 'Client created: \\K.*'",
)
