"""What ``nymproxy`` and ``nymproxy-migrate`` have in common above their subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from nymproxy._standard_streams import discard_output as discard_output


def new_app(name: str, summary: str) -> typer.Typer:
    """Return an app without subcommands that explains itself when it is called without any."""
    return typer.Typer(
        name=name,
        help=summary,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _show_version(context: typer.Context, show: bool) -> None:
    if show:
        from nymproxy import __version__

        typer.echo(f"{context.info_name} {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
]
