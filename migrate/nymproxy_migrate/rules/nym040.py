"""Env files whose directory the old programs ignore."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

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
