"""What ``nymproxy`` and ``nymproxy-migrate`` have in common above their subcommands."""

from __future__ import annotations

import os
import re
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


_TYPE = re.compile(r" ?<(?:list\[)?(int|float|str|path|Path)(?: range)?\]?>")
"""What the parser calls the values of a flag or an argument that has no name for them."""


def _value_name(found: re.Match[str]) -> str:
    is_argument = not found.string.startswith("-")
    kind = {"int": "NUMBER", "float": "NUMBER", "str": "TEXT"}.get(found[1], "PATH")
    return "" if is_argument else f" {kind}"


_WHOLE = 10_000
"""Characters of a command's first sentence in the list of commands: it is wrapped, not cut."""


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401  (the class moved between versions)
        return _without_types_of_flags(super().get_params(ctx))

    def get_short_help_str(self, limit: int = _WHOLE) -> str:
        return super().get_short_help_str(max(limit, _WHOLE))

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the help of the parameters under the titles of their panels, in their order."""
        sections: dict[str, list[Any]] = {"Arguments": [], "Options": []}
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is not None:
                kind = "Arguments" if each.param_type_name == "argument" else "Options"
                record = (_TYPE.sub(_value_name, record[0]), record[1])
                title = getattr(each, "rich_help_panel", None) or kind
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        if is_windows() and ctx.command_path not in _EVERYWHERE:
            typer.echo(f"{ctx.command_path} {NEEDS_POSIX}", err=True)
            raise typer.Exit(2)
        return super().invoke(ctx)


_EVERYWHERE = {
    "nymproxy address",
    "nymproxy-migrate explain",
    "nymproxy-migrate scan",
    "nymproxy-migrate schema",
}
NEEDS_POSIX = (
    "needs Linux or macOS; on Windows, WSL does. The library can be imported there, and "
    "`nymproxy-migrate scan` and `explain` work."
)


def is_windows() -> bool:
    """Tell whether the signals, locks and users of POSIX are missing."""
    return os.name == "nt"


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
        rich_markup_mode=None,  # its tables cut flags and defaults where a terminal is narrow
        context_settings={"help_option_names": ["-h", "--help"]},
    )


_UNREADABLE = {
    "int_parsing": "is no whole number",
    "float_parsing": "is no number",
    "bool_parsing": "is neither true nor false",
    "greater_than_equal": "is below {ge:g}",
    "less_than_equal": "is above {le:g}",
}
"""What the parser's library refuses in a value, by its name for it."""


def usage_text(error: Any) -> str:  # noqa: ANN401  (the class has no public name)
    """Return the parser's message as one sentence, in words that are no library's own."""
    text: str = error.format_message().replace("Value error, ", "")
    for each in getattr(error.__cause__, "errors", list)():
        if each["type"] in _UNREADABLE:
            reason = _UNREADABLE[each["type"]].format(**each.get("ctx", {}))
            text = text.replace(each["msg"], f"{each['input']!r} {reason}")
    text = " ".join(text.split())
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _show_version(context: typer.Context, show: bool) -> None:
    if show:
        from nymproxy import __version__

        typer.echo(f"{context.info_name} {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
]
