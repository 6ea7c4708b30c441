"""Python calls that start an old proxy, with a command that can be rewritten."""

from __future__ import annotations

from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM030",
    kind=Kind.PYTHON_CALL,
    title="a Python call starts an old proxy",
    why=(
        "The standalone programs have no successor binary; `nymproxy client` and `nymproxy "
        "server` take the same flags and speak to old peers, too."
    ),
    next=(
        "Apply it with `nymproxy-migrate rewrite --write`; install nymproxy where the program "
        "runs. Python can also do without a second process: `nymproxy.MixnetClient`."
    ),
    example_before='subprocess.Popen(["nym-proxy-client", "-s", address])',
    example_after=('subprocess.Popen(["nymproxy", "client", "--wire", "legacy", "-s", address])'),
    safety=Safety.SAFE,
    action=Action.REWRITE,
    needs_human=False,
)
