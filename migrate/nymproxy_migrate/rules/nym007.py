"""Settings around a command: stop signal, stop timeout, volumes."""

from __future__ import annotations

from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM007",
    kind=Kind.COMMAND_SERVER,
    title="a service setting that the new program makes use of",
    why=(
        "The old programs died at once on SIGTERM. The new ones close their sessions first, "
        "which takes up to 10 seconds."
    ),
    next=(
        "Use KillSignal=SIGTERM and a stop timeout of at least 15 seconds; keep volumes that "
        "hold the config directory."
    ),
    example_before="[Service]\nKillSignal=SIGKILL",
    action=Action.INFO,
    needs_human=False,
)
