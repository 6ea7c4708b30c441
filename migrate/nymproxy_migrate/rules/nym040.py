"""Env files whose directory the old programs ignore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.env_files import EnvFile
    from nymproxy_migrate.model import Finding

RULE = Rule(
    code="NYM040",
    kind=Kind.ENV_FILE,
    title="an env file sets NYM_API only",
    why=(
        "The old programs fill in NYM_APIS of mainnet, and prefer it: with this file they talk "
        "to mainnet. nymproxy uses NYM_API as it stands, so the network changes."
    ),
    next=(
        "Decide which network is meant: add the line `NYM_APIS=` to use NYM_API everywhere, or "
        "remove NYM_API to stay with mainnet."
    ),
    example_before="NYM_API=http://127.0.0.1:8000/api/",
)

_KEYS = frozenset({"NYM_API", "API_VALIDATOR"})


def find(file: EnvFile) -> Iterator[Finding]:
    """Yield the settings to which this happens."""
    for span, message in file.warned_of("nym-api-shadowed", _KEYS):
        yield RULE.finding(file.source, span, message)
