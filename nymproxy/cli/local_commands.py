"""The commands that need no network but this machine: ``localnet`` and ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nymproxy.cli.choices import Profile


def demo(
    profile: Annotated[Profile, typer.Option(help="Traffic profile.")] = Profile.BARE,
    json_output: Annotated[
        bool, typer.Option("--json", help="The result as one JSON object on stdout.")
    ] = False,
    keep_logs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the logs of all processes in this directory."),
    ] = None,
) -> None:
    """Show the whole thing: a local mixnet, both pairs of proxies, and every byte checked."""
    from nymproxy.cli.demo.story import DemoSettings, run_demo

    settings = DemoSettings(profile=profile.value, as_json=json_output, keep_logs=keep_logs)
    if not run_demo(settings):
        raise typer.Exit(1)
