"""From arguments, environment and settings file to what a run of the command is to do."""

from __future__ import annotations

import inspect
import logging
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints

import typer.main

from nymproxy_migrate.cli import settings
from nymproxy_migrate.cli.settings import Option, Setting
from nymproxy_migrate.cli.shared import SETTABLE, Output, take
from nymproxy_migrate.report.style import style_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Configured:
    """One run of the command.

    Attributes:
        arguments: without the shared flags.
        command: the subcommand, if one is named.
        given: the shared flags on the command line.
        found: settings from environment and file, by flag.
        options: the options of the subcommand.
    """

    arguments: list[str]
    command: str | None
    given: frozenset[str]
    found: dict[str, Setting]
    options: tuple[Option, ...]

    def is_on(self, flag: str) -> bool:
        """Tell whether a shared flag is on."""
        return flag in self.given or settings.is_on(self.found.get(flag))

    def defaults(self) -> dict[str, Any]:
        """Return the defaults that environment and file give to the subcommand's options."""
        values = {
            option.parameter: self.found[option.flag].value
            for option in self.options
            if option.flag in self.found
        }
        return {self.command: values} if self.command and values else {}

    def output(self) -> Output:
        """Return how to talk; with ``--verbose`` this lets the log go to standard error."""
        if self.is_on("verbose"):
            logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
            logging.getLogger("nymproxy").setLevel(logging.DEBUG)
        no_color = self.is_on("no-color")
        out, err = (
            style_for(
                is_terminal=stream.isatty(),
                environ=os.environ,
                no_color=no_color,
                columns=shutil.get_terminal_size().columns if stream.isatty() else None,
            )
            for stream in (sys.stdout, sys.stderr)
        )
        return Output(quiet=self.is_on("quiet"), out=out, err=err)


def configure(app: typer.Typer, arguments: Sequence[str]) -> Configured:
    """Read the shared flags, and the settings if a subcommand is named.

    Raises:
        Refused: the settings file is none.
    """
    given, rest = take(arguments)
    command = next((each for each in rest if not each.startswith("-")), None)
    file = settings.find_file(Path.cwd()) if command is not None else None
    from_environment = any(name.startswith(settings.PREFIX) for name in os.environ)
    if command is None or (file is None and not from_environment):
        return Configured(rest, command, frozenset(given), {}, ())
    options = _options(app)
    if command not in options:  # the parser says so
        return Configured(rest, command, frozenset(given), {}, ())
    found = settings.settings_of(command, options, os.environ, file)
    return Configured(rest, command, frozenset(given), found, tuple(options[command]))


def _options(app: typer.Typer) -> dict[str, list[Option]]:
    group: Any = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        paths = _path_parameters(command.callback)
        found[name] = [
            Option(flag, parameter.name, parameter.name in paths, parameter.multiple)
            for parameter in command.params
            if parameter.param_type_name == "option" and (flag := _flag(parameter)) is not None
        ]
    return found


def _path_parameters(callback: object) -> set[str]:
    # What a parameter of click says of its type differs between versions of typer.
    hints = get_type_hints(inspect.unwrap(cast("Callable[..., object]", callback)))
    return {name for name, hint in hints.items() if hint is Path or Path in get_args(hint)}


def _flag(parameter: Any) -> str | None:  # noqa: ANN401 - typer may carry its own click
    longs = [name for name in parameter.opts if name.startswith("--")]
    return longs[0].removeprefix("--") if longs else None


def show_settings(app: typer.Typer, configured: Configured) -> str:
    """Return every option of the subcommand with its value and where that comes from.

    Raises:
        Refused: no subcommand is named.
    """
    group: Any = typer.main.get_command(app)
    command = group.commands.get(configured.command)
    if command is None:
        from nymproxy_migrate.refused import Refused

        raise Refused("--show-settings goes with a subcommand, such as scan")
    place = configured.arguments.index(configured.command or "")
    arguments = configured.arguments[place + 1 :]
    defaults = configured.defaults().get(configured.command or "", {})
    context = command.make_context(configured.command, arguments, default_map=defaults)
    rows = {}
    for parameter in command.params:
        flag = _flag(parameter)
        if flag is not None and flag != "help":
            value = context.params.get(parameter.name)
            source = context.get_parameter_source(parameter.name)
            rows[flag] = _row(flag, getattr(value, "value", value), source, configured)
    for flag in SETTABLE:
        if flag in configured.given:
            rows[flag] = Setting(True, "flag")
        else:
            is_on = settings.is_on(configured.found.get(flag))
            found = configured.found.get(flag)
            rows[flag] = Setting(is_on, "default" if found is None else found.origin)
    return settings.shown(dict(sorted(rows.items())))


def _row(flag: str, value: object, source: Any, configured: Configured) -> Setting:  # noqa: ANN401
    name = "" if source is None else source.name
    if name == "COMMANDLINE":
        return Setting(value, "flag")
    if name == "DEFAULT_MAP":
        return Setting(value, configured.found[flag].origin)
    return Setting(value, "default")
