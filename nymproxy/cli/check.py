"""``nymproxy check``: what a configuration file means, and where each value comes from."""

from __future__ import annotations

import enum
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nymproxy.cli.config_file import schema as schema_of
from nymproxy.cli.configuration import load
from nymproxy.operating.logs import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.cli.configuration import Configuration, Evaluated
    from nymproxy.cli.taking import Given


def run(path: Path, given: Given, *, as_json: bool, schema: bool) -> None:
    """Print the evaluated settings, or the schema.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    if schema:
        typer.echo(json.dumps(schema_of(), indent=2))
        return
    log_to_stderr()
    configuration = load(path, os.environ, given)
    tables = _tables(configuration)
    if as_json:
        typer.echo(json.dumps({"file": str(path), "tables": tables}, indent=2))
    else:
        for table in tables:
            typer.echo(_text(table))


def _tables(configuration: Configuration) -> list[dict[str, Any]]:
    by_table: dict[str, list[Evaluated]] = {}
    for each in configuration.process:
        by_table.setdefault(each.setting.table, []).append(each)
    tables = [_table(f"[{name}]" if name else "", each) for name, each in by_table.items()]
    tables.sort(key=lambda table: bool(table["table"]))
    tables += [_table("[[client]]", each.evaluated, each.name) for each in configuration.clients]
    tables += [_table("[[server]]", each.evaluated, each.name) for each in configuration.servers]
    return tables


def _table(name: str, settings: Iterable[Evaluated], forward: str | None = None) -> dict[str, Any]:
    return {
        "table": name,
        "name": forward,
        "settings": {
            each.setting.key: {"value": _shown(each), "from": each.origin} for each in settings
        },
    }


def _shown(evaluated: Evaluated) -> Any:  # noqa: ANN401  (fit for JSON)
    value = evaluated.value
    if value is not None and evaluated.setting.is_secret:
        return "(not shown)"
    if isinstance(value, enum.Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _text(table: dict[str, Any]) -> str:
    lines = [table["table"]] if table["table"] else []
    if table["name"]:
        lines.append(f'name = "{table["name"]}"')
    for key, each in table["settings"].items():
        value = "" if each["value"] is None else json.dumps(each["value"])
        lines.append(f"{key} = {value}  # {each['from']}" if value else f"# {key}: not set")
    return "\n".join(lines) + "\n"
