"""Python calls that start an old proxy, with a command that nobody can read there."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM031",
    kind=Kind.PYTHON_CALL,
    title="a Python call starts an old proxy in a way that cannot be rewritten",
    why=(
        "The program's name or its arguments are put together when the program runs, so no edit "
        "of one place is sure to be right."
    ),
    next=(
        "Write the new command by hand: `nymproxy client --wire legacy ...` or `nymproxy server "
        "--accept legacy,stream ...` with the same flags."
    ),
    example_before='subprocess.Popen(f"{BIN}/nym-proxy-client -s {address}", shell=True)',
)
