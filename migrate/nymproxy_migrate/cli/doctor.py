"""``nymproxy-migrate doctor``: what a migration meets on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio

from nymproxy import AddressError, NodeIdentity, __version__
from nymproxy_migrate.cli.shared import OUTPUT
from nymproxy_migrate.doctor import report
from nymproxy_migrate.doctor import run as checks
from nymproxy_migrate.doctor.endpoint import Endpoint
from nymproxy_migrate.doctor.model import Settings, Verdict
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from pathlib import Path


def settings_of(
    *,
    env_path: Path | None,
    config_dir: Path | None,
    gateway: str | None,
    listen_address: str,
    listen_port: int | None,
    upstream: str | None,
    program: str | None,
    unit: Path | None,
    timeout: float,
) -> Settings:
    """Return what to check.

    Raises:
        Refused: a gateway or an upstream that is none.
    """
    try:
        identity = None if gateway is None else NodeIdentity.parse(gateway)
    except AddressError as error:
        raise Refused(f"--gateway: {error}") from error
    return Settings(
        env_path=env_path,
        config_dir=config_dir,
        gateway=identity,
        listen_address=listen_address,
        listen_port=listen_port,
        upstream=None if upstream is None else Endpoint.parse(upstream),
        program=program,
        unit=unit,
        deadline_seconds=timeout,
    )


def doctor(settings: Settings, *, as_json: bool) -> int:
    """Run the checks and report them; 1 if any fails."""
    results = anyio.run(checks.run, settings)
    if as_json:
        sys.stdout.write(report.render_json(results, __version__))
    else:
        output = OUTPUT.get()
        sys.stdout.write(report.render_text(results, output.out, quiet=output.quiet))
    return int(any(check.verdict is Verdict.FAIL for check in results))
