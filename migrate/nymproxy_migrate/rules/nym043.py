"""The marker that keeps env files from being loaded."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM043",
    kind=Kind.ENV_FILE,
    title="CONFIGURED is set",
    why=(
        "With CONFIGURED in the environment, whatever its value, the old programs and nymproxy do "
        "not load the file of --env-path, and use the variables of the environment as they are."
    ),
    next=(
        "Leave CONFIGURED out of the environment. A file that sets it belongs to --env-path, not "
        "into `EnvironmentFile=` or `env_file:`."
    ),
    example_before="[Service]\nEnvironment=CONFIGURED=1\nExecStart=nym-proxy-client -e local.env",
)
