"""What ``nymproxy`` and ``nymproxy-migrate`` have in common above their subcommands."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from nymproxy._standard_streams import discard_output as discard_output

P = TypeVar("P")


def _without_types_of_flags(parameters: list[P]) -> list[P]:
    """Keep the help from showing a type for what takes no value."""
    for each in parameters:
        if getattr(each, "is_flag", False):
            vars(each)["metavar"] = ""
    return parameters


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401  (the class moved between versions)
        return _without_types_of_flags(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401
        return _without_types_of_flags(super().get_params(ctx))


class _App(typer.Typer):
    def command(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        return super().command(*arguments, **{"cls": _Command, **options})


def new_app(name: str, summary: str) -> typer.Typer:
    """Return an app without subcommands that explains itself when it is called without any."""
    return _App(
        name=name,
        cls=_Group,
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
