"""Makes commands of functions that are given settings: the parser sees their fields as flags."""

from __future__ import annotations

import copy
import inspect
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, get_args, get_type_hints

import typer

from nymproxy.cli.keys import flags_of, settings_of, variable_of
from nymproxy.cli.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_S = TypeVar("_S")


def switches(settings: type[object]) -> Iterator[str]:
    """Yield the flags of a command that take no value."""
    for name, hint in get_type_hints(settings, include_extras=True).items():
        kind, option = get_args(hint)
        if kind is bool:
            yield from flags_of(name, option)


def _with_variable(hint: Any, name: str, role: str) -> Any:  # noqa: ANN401  (type hints)
    """Return a field's hint, whose option can be set by the environment, too."""
    kind, option = get_args(hint)
    option = copy.copy(option)
    more = [option.envvar] if isinstance(option.envvar, str) else []
    option.envvar = [variable_of(name, option, role), *more]
    option.show_envvar = False
    return Annotated[kind, option]


def takes(settings: type[_S], role: str) -> Callable[[Callable[[_S], None]], Callable[..., None]]:
    """Make a command of a function: typer sees a parameter for each field of ``settings``."""
    hints = get_type_hints(settings, include_extras=True)
    signature = inspect.signature(settings)
    parameters = [
        parameter.replace(annotation=_with_variable(hints[name], name, role))
        for name, parameter in signature.parameters.items()
    ]

    def decorate(function: Callable[[_S], None]) -> Callable[..., None]:
        @wraps(function)
        def command(**flags: Any) -> None:  # noqa: ANN401  (typer has checked them)
            function(settings(**flags))

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


def takes_process(function: Callable[..., None]) -> Callable[..., None]:
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
        kind, option = get_args(_with_variable(hints[name], name, ""))
        annotation: Any = Annotated[kind | None, option]
        parameters.append(inspect.Parameter(name, keyword, default=None, annotation=annotation))

    @wraps(function)
    def command(context: typer.Context, config: Path, **flags: Any) -> None:  # noqa: ANN401
        given: Given = {}
        for name, setting in shared.items():
            value = flags.pop(name)
            if value is not None:
                source = context.get_parameter_source(name)
                from_variable = source is not None and source.name == "ENVIRONMENT"
                given[name] = value, setting.variable if from_variable else setting.flag
        function(config=config, given=given, **flags)

    vars(command)["__signature__"] = inspect.Signature(parameters)
    return command
