"""Steps that install, build or download the old programs."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM006",
    kind=Kind.COMMAND_CLIENT,
    title="the old programs are installed or built here",
    why=(
        "After the migration nothing needs the Rust binaries; as long as they are installed, "
        "somebody can start them."
    ),
    next="Replace the step by `pip install nymproxy`, once no command uses the old programs.",
    example_before="cargo install nym-sdk",
)
