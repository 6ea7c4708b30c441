"""Commands whose program is brought by something else than the host's PATH."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM005",
    kind=Kind.COMMAND_CLIENT,
    title="the old program comes from an image, a build stage or a lookup",
    why="Renaming the command alone would start a program that is not there.",
    next=(
        "Install nymproxy in the image or stage (`pip install nymproxy`) or point the lookup at "
        "it; then change the command, or let `--decide NYM005=rewrite` do that."
    ),
    example_before=(
        'FROM debian\nCOPY nym-proxy-client /usr/local/bin/\nCMD ["nym-proxy-client", "-s", '
        '"ADDRESS"]'
    ),
)
