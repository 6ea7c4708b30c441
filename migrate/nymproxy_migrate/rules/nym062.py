"""Choice between two config directories, and so between two Nym addresses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy.cli.old_flags import DEFAULT_CONFIG_DIR
from nymproxy_migrate import config_dirs
from nymproxy_migrate.judged import Role
from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.rules._started import Started

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
    choices=("effective", "as-written"),
)


def find(started: Started) -> Iterator[Finding]:
    """Yield the decision about a server whose keys are not where the old program looks."""
    if started.invocation.role is not Role.SERVER:
        return
    flag = started.invocation.flag("config-dir")
    written = DEFAULT_CONFIG_DIR if flag is None else flag.text
    effective = started.directory
    if written is None or not written.startswith("/") or written == effective:
        return
    looks_in = effective or "HOME followed by that path"
    decided = started.options.decisions.get(RULE.code)
    if decided == "as-written":
        message = f"by your decision the keys are in {written}; the old server looks in {looks_in}"
    elif not config_dirs.is_config_dir(Path(written)) or (
        effective is not None and config_dirs.is_config_dir(Path(effective))
    ):
        return
    else:
        address, _ = config_dirs.address_of(Path(written))
        message = (
            f"this machine has keys in {written} (Nym address {address or 'not chosen yet'}), but "
            f"the old server looks in {looks_in}"
        )
    yield RULE.finding(
        started.source,
        started.span_of("config-dir"),
        message,
        action=None if decided is None else Action.INFO,
        needs_human=None if decided is None else False,
    )
