"""The commands and their flags. What a command needs is imported when it runs, so that ``--help``
and completion stay quick."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from nymproxy._standard_streams import discard_output, open_standard_streams
from nymproxy.cli import arguments as old_arguments
from nymproxy.cli import local_commands, operator_commands, outcome
from nymproxy.cli.root import Version, new_app
from nymproxy.cli.settings import ClientSettings, ServerSettings
from nymproxy.cli.taking import Given, takes, takes_process

app = new_app(
    "nymproxy", "TCP connections through the Nym mixnet: the old TcpProxy's commands, and Streams."
)


@app.callback()
def _root(version: Version = False) -> None:
    pass


@app.command()
@takes(ClientSettings, "client")
def client(settings: ClientSettings) -> None:
    """Listen on a local port and carry each connection to a proxy server in the mixnet."""
    from nymproxy.cli import client as command

    command.run(settings)


@app.command()
@takes(ServerSettings, "server")
def server(settings: ServerSettings) -> None:
    """Accept connections from the mixnet and carry each to one TCP service."""
    from nymproxy.cli import server as command

    command.run(settings)


@app.command(name="run")
@takes_process
def run_file(
    config: Path,
    given: Given,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks of our own bugs.")] = False,
) -> None:
    """Run all clients and servers of a configuration file in one process."""
    from nymproxy.cli import run as command

    command.run(config, given)


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
    directory: Annotated[Path, typer.Argument(help="A config directory, ours or Rust's.")],
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


def _report(error: BaseException, *, debug: bool, as_json: bool) -> int:
    from nymproxy.operating.logs import write_fatal

    if debug:
        traceback.print_exception(error)
    explained = outcome.explain(error)
    if explained is None:
        name = type(outcome.first_cause(error)).__name__
        explained = outcome.Explained(
            f"a bug in nymproxy ({name}): run it again with --debug and report what it prints",
            "bug",
            outcome.EXIT_FAILED,
        )
    write_fatal(explained.line, explained.code, as_json=as_json)
    return explained.exit_code


def run(arguments: list[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: those of the process) and return its code."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    open_standard_streams()
    debug, as_json = "--debug" in arguments, "--json" in arguments
    try:
        code = app(old_arguments.normalise(arguments), prog_name="nymproxy", standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else outcome.EXIT_FAILED
    except (KeyboardInterrupt, typer.Abort):
        return outcome.EXIT_INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return outcome.EXIT_FAILED
    except Exception as error:  # whatever is left is reported in one line; --debug shows it all
        return _report(error, debug=debug, as_json=as_json)
    return code if isinstance(code, int) else outcome.EXIT_OK
