"""``parity``: measures both ways, with progress on stderr, and reports."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from nymproxy import PROFILES, NymAddress
from nymproxy._error_groups import first_cause
from nymproxy.errors import NymError
from nymproxy.testing.processes import run_until_signal
from nymproxy_migrate import outputs
from nymproxy_migrate.cli.shared import COMMAND, OUTPUT
from nymproxy_migrate.parity.compared import find_old
from nymproxy_migrate.parity.measure import Settings
from nymproxy_migrate.parity.model import Side
from nymproxy_migrate.parity.planned import commands_of
from nymproxy_migrate.parity.run import LOCALNET_PROFILE, Parity, run
from nymproxy_migrate.parity.sides import FULL, QUICK
from nymproxy_migrate.parity.stage import Servers
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.report import junit, parity_json, parity_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nymproxy_migrate.parity.model import ParityReport

OLD_TIMEOUT_SECONDS = 30.0
OLD_END_OF_DATA_SECONDS = 4.0
OLD_REFUSAL_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of ``parity``; see their help in :mod:`nymproxy_migrate.cli.app`."""

    legacy: str | None = None
    stream: str | None = None
    env: Path | None = None
    profile: str | None = None
    quick: bool = False
    seed: int = 1
    form: str = "text"
    output: Path | None = None
    plan: Path | None = None
    old: bool = False
    old_client: Path | None = None
    old_server: Path | None = None

    @property
    def wants_old(self) -> bool:
        """The old programs are the legacy side."""
        return self.old or self.old_client is not None or self.old_server is not None


def parity(options: Options) -> int:
    """Run parity, write the report, and return the exit code.

    Raises:
        Refused: the flags do not fit each other, or something could not be started.
    """
    render = _renderer(options.form)
    if options.output is not None and not options.output.absolute().parent.is_dir():
        raise Refused(f"{options.output}: its folder does not exist")
    settings, servers = _settings(options), _servers(options)
    commands = [] if options.plan is None else commands_of(options.plan)
    if servers is not None and commands:
        raise Refused("--plan goes without --legacy, --stream and --env: it runs on a localnet")
    if servers is not None and options.wants_old:
        raise Refused("--old goes without --legacy, --stream and --env: it runs on a localnet")
    old = find_old(options.old_client, options.old_server) if options.wants_old else None
    asked = Parity(settings, _say_with_time(), servers, commands, old, COMMAND.get())
    try:
        report = run_until_signal(partial(run, asked))
    except (NymError, BaseExceptionGroup) as error:
        raise _told(error) from error
    text = render(report)
    if options.output is None:
        sys.stdout.write(text)
    else:
        outputs.write(options.output, text.encode())
    return 1 if report.worse else 0


def _renderer(form: str) -> Callable[[ParityReport], str]:
    if form == "html":
        # Its plots need libraries that nothing else needs.
        from nymproxy_migrate.report import html

        return html.render
    if form == "text":
        return partial(parity_text.render, columns=OUTPUT.get().out.columns)
    return {"json": parity_json.render, "junit": junit.render}[form]


def _settings(options: Options) -> Settings:
    if options.profile is not None and options.profile not in PROFILES:
        raise Refused(f"--profile {options.profile}: profiles are {', '.join(PROFILES)}")
    sizes = QUICK if options.quick else FULL
    settings = Settings(sizes, options.seed)
    # What the old way never brings is waited for each time it is asked.
    if options.wants_old or options.legacy is not None:
        settings = replace(
            settings,
            end_of_data_seconds=OLD_END_OF_DATA_SECONDS,
            refusal_seconds=OLD_REFUSAL_SECONDS,
        )
    if options.wants_old:
        settings = replace(settings, timeout_seconds=OLD_TIMEOUT_SECONDS)
    return settings


def _servers(options: Options) -> Servers | None:
    given = (options.legacy, options.stream, options.env)
    if given == (None, None, None):
        if options.profile not in {None, LOCALNET_PROFILE}:
            raise Refused("--profile goes with --legacy, --stream and --env")
        return None
    if options.legacy is None or options.stream is None or options.env is None:
        raise Refused("running servers need all of --legacy, --stream and --env")
    if not options.env.is_file():
        raise Refused(f"{options.env}: there is no such env file")
    addresses = {Side.LEGACY: options.legacy, Side.STREAM: options.stream}
    for side, address in addresses.items():
        try:
            NymAddress.parse(address)
        except NymError as error:
            raise Refused(f"--{side.value}: {error}") from error
    return Servers(addresses, options.env, options.profile or "default")


def _say_with_time() -> Callable[[str], None]:
    started = time.monotonic()

    def say(text: str) -> None:
        if OUTPUT.get().quiet:
            return
        sys.stderr.write(f"[{time.monotonic() - started:5.1f} s] {text}\n")
        sys.stderr.flush()

    return say


def _told(error: BaseException) -> BaseException:
    """Return the first error of nested groups, as one that the operator can do something about."""
    cause = first_cause(error)
    return Refused(str(cause)) if isinstance(cause, NymError) else cause
