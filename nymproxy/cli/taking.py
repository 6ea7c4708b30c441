"""Makes commands of functions that are given settings: the parser sees their fields as flags."""

from __future__ import annotations

import inspect
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, get_args, get_type_hints

import typer

from nymproxy.cli.keys import names_of, settings_of, variable_of
from nymproxy.cli.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy.cli.flags import Flag

_S = TypeVar("_S")
T = TypeVar("T")


def switches(settings: type[object]) -> Iterator[str]:
    """Yield the flags of a command that take no value."""
    for name, hint in get_type_hints(settings, include_extras=True).items():
        kind, flag = get_args(hint)
        if kind is bool:
            yield from names_of(name, flag)


def _option(flag: Flag, name: str, role: str | None) -> Any:  # noqa: ANN401
    """Return what the parser makes of a field's flag; those of roles can be set by the
    environment, too."""
    variables = [] if role is None else [variable_of(name, flag, role)]
    variables += [flag.variable] if flag.variable else []
    return typer.Option(
        *flag.names,
        help=flag.help,
        metavar=flag.metavar,
        rich_help_panel=flag.panel,
        envvar=variables,
        show_envvar=False,
        min=flag.minimum,
        max=flag.maximum,
    )


def takes(
    settings: type[_S], role: str | None = None
) -> Callable[[Callable[[_S], T]], Callable[..., T]]:
    """Make a command of a function: typer sees a parameter for each field of ``settings``."""
    hints = get_type_hints(settings, include_extras=True)
    signature = inspect.signature(settings)
    parameters = []
    for name, parameter in signature.parameters.items():
        kind, flag = get_args(hints[name])
        annotation: Any = Annotated[kind, _option(flag, name, role)]
        parameters.append(parameter.replace(annotation=annotation))

    def decorate(function: Callable[[_S], T]) -> Callable[..., T]:
        @wraps(function)
        def command(**flags: Any) -> T:  # noqa: ANN401  (typer has checked them)
            return function(settings(**flags))

        # What inspect.signature() gives to typer; the annotations alone would say **flags.
        vars(command)["__signature__"] = signature.replace(parameters=parameters)
        return command

    return decorate


ConfigFile = Annotated[
    Path,
    typer.Option(
        "--config", "-c", metavar="FILE", envvar="NYMPROXY_CONFIG", help="The file, TOML."
    ),
]
Given: TypeAlias = dict[str, tuple[Any, str]]
"""Values by field, and the flag or variable that gave each."""


def takes_process(function: Callable[..., T]) -> Callable[..., T]:
    """Make a command of a function that is given ``config`` and ``given``: what the file says of
    the process as a whole can be said by flags, too. Its other parameters stay."""
    hints = get_type_hints(ClientSettings, include_extras=True)
    shared = {each.field: each for each in settings_of(ClientSettings, "") if each.is_of_process}
    own = [
        parameter
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
        if name not in ("config", "given")
    ]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("context", keyword, annotation=typer.Context),
        inspect.Parameter("config", keyword, annotation=ConfigFile),
        *(each.replace(kind=keyword) for each in own),
    ]
    for name in shared:
        kind, flag = get_args(hints[name])
        annotation: Any = Annotated[kind | None, _option(flag, name, "")]
        parameters.append(inspect.Parameter(name, keyword, default=None, annotation=annotation))

    @wraps(function)
    def command(context: typer.Context, config: Path, **flags: Any) -> T:  # noqa: ANN401
        given: Given = {}
        for name, setting in shared.items():
            value = flags.pop(name)
            if value is not None:
                source = context.get_parameter_source(name)
                from_variable = source is not None and source.name == "ENVIRONMENT"
                given[name] = value, setting.variable if from_variable else setting.flag
        return function(config=config, given=given, **flags)

    vars(command)["__signature__"] = inspect.Signature(parameters)
    return command
