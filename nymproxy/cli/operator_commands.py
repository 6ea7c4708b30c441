"""The commands that ask a process that runs: ``status``, ``top``, ``sessions``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nymproxy.cli.root import new_app

Control = Annotated[
    Path,
    typer.Option(
        metavar="PATH",
        envvar="NYMPROXY_CONTROL",
        help="The control socket, as the process was started with.",
    ),
]


def status(
    control: Control,
    json_output: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Show what a process does; exit code 1: it is not ready."""
    from nymproxy.cli import operator

    operator.show_status(control, as_json=json_output)


def top(
    control: Control,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many; else at Ctrl-C.")
    ] = None,
) -> None:
    """Show a process live: forwards, sessions, rates, round trips."""
    from nymproxy.cli import top as command

    command.run(control, interval_seconds=interval, count=count)


sessions = new_app("sessions", "Close sessions of a process that runs.")


@sessions.callback()
def _sessions() -> None:
    pass


@sessions.command()
def close(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="NUMBER, or FORWARD/NUMBER.")],
    control: Control,
) -> None:
    """Reset a session; both ends are told."""
    from nymproxy.cli import operator

    operator.close_session(control, session)
