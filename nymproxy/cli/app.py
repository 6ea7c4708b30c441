"""The commands and their flags. What a command needs is imported when it runs, so that ``--help``
and completion stay quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from nymproxy.cli import arguments as old_arguments
from nymproxy.cli import local_commands, operator_commands
from nymproxy.cli.jobs import Job
from nymproxy.cli.outcome import EXIT_OK, WrongUsage
from nymproxy.cli.root import Version, new_app, usage_text
from nymproxy.cli.settings import ClientSettings, ServerSettings
from nymproxy.cli.taking import Given, takes, takes_process

app = new_app(
    "nymproxy", "TCP connections through the Nym mixnet: the old TcpProxy's commands, and Streams."
)

_USAGE: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""What the parser raises; the class moved between versions of typer, its subclass did not."""


@app.callback()
def _root(version: Version = False) -> None:
    pass


@app.command()
@takes(ClientSettings, "client")
def client(settings: ClientSettings) -> Job:
    """Listen on a local port and carry each connection to a proxy server in the mixnet."""
    return Job("client", (settings,))


@app.command()
@takes(ServerSettings, "server")
def server(settings: ServerSettings) -> Job:
    """Accept connections from the mixnet and carry each to one TCP service."""
    return Job("server", (settings,))


@app.command(name="run")
@takes_process
def run_file(
    config: Path,
    given: Given,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks of our own bugs.")] = False,
) -> Job:
    """Run all clients and servers of a configuration file in one process."""
    return Job("run", (config, given))


@app.command()
@takes_process
def check(
    config: Path,
    given: Given,
    json_output: Annotated[
        bool, typer.Option("--as-json", help="As a JSON object, for programs.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of the file, for editors.")
    ] = False,
) -> None:
    """Check a configuration file, and print what it means and where each value comes from."""
    from nymproxy.cli import check as command

    command.run(config, given, as_json=json_output, schema=schema)


app.command()(operator_commands.status)
app.command()(operator_commands.top)
app.add_typer(operator_commands.sessions)


@app.command()
def address(
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="A config directory, ours or Rust's.")
    ],
    json_output: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Print the Nym address of a config directory, offline; several, one in a line."""
    import json

    from nymproxy.mixnet.storage.identities import nym_addresses_of

    texts = [str(each) for each in nym_addresses_of(directory)]
    if json_output:
        typer.echo(json.dumps({"address": texts[0], "addresses": texts}))
    else:
        typer.echo("\n".join(texts))


app.command()(local_commands.localnet)
app.command()(local_commands.demo)


def read(arguments: list[str]) -> Job | int:
    """Read arguments, and do at once what does not run for long.

    Returns:
        What is to be run, or the exit code.

    Raises:
        WrongUsage: they cannot be read.
        SystemExit, KeyboardInterrupt, NymError, OSError: as the commands do.
    """
    normalised = old_arguments.normalise(arguments)
    try:
        result = app(normalised, prog_name="nymproxy", standalone_mode=False)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except _USAGE as error:
        raise WrongUsage(_explain_usage(error)) from error
    return result if isinstance(result, (Job, int)) else EXIT_OK


def _explain_usage(error: Any) -> str:  # noqa: ANN401  (the class has no public name)
    text = usage_text(error)
    context = getattr(error, "ctx", None)
    return text if context is None else f"{text} See {context.command_path} --help"
