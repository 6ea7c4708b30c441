"""Choice between two config directories, and so between two Nym addresses."""

from __future__ import annotations

from nymproxy_migrate.model import Kind, Safety
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM062",
    kind=Kind.CONFIG_DIR,
    title="the Nym address would change",
    why=(
        "The old binary appended `--config-dir` to HOME as text. Here are keys in the directory "
        "as it is written, and none where the old binary looks, so the new command would start "
        "with a new Nym address that no client knows."
    ),
    next=(
        "`--decide NYM062=as-written` keeps the address of the keys that are there; "
        "`--decide NYM062=effective` starts where the old binary looks."
    ),
    example_before="nym-proxy-server -u 127.0.0.1:80 --config-dir /srv/nym",
    safety=Safety.DECISION,
)
