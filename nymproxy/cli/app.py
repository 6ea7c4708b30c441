"""The commands and their flags. What a command needs is imported when it runs, so that ``--help``
and completion stay quick."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from nymproxy.cli import arguments as old_arguments
from nymproxy.cli import local_commands, outcome
from nymproxy.cli.choices import Accept, IdentityMode, Profile, Wire

app = typer.Typer(
    name="nymproxy",
    help="TCP connections through the Nym mixnet: the old TcpProxy's commands, and Streams.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_NETWORK = "Network"
_OUTPUT = "Output"
_PRIVACY = "Privacy"

EnvPath = Annotated[
    Path | None,
    typer.Option(
        "--env-path",
        "-e",
        rich_help_panel=_NETWORK,
        help="Env file that describes the network. Without it: mainnet.",
    ),
]
ProfileOption = Annotated[
    Profile,
    typer.Option(
        rich_help_panel=_PRIVACY,
        help="Traffic: 'default' hides when you send (50 packets/s, always), 'fast' less so, "
        "'bare' not at all (no cover, no mix delays; for tests and local networks).",
    ),
]
JsonLogs = Annotated[
    bool, typer.Option("--json", rich_help_panel=_OUTPUT, help="Logs as JSON lines on stderr.")
]
AddressFile = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=_OUTPUT,
        help="Write the ready line (JSON, with the address) to this file when ready, and remove "
        "the file at the end.",
    ),
]
GracePeriod = Annotated[
    float,
    typer.Option(min=0.0, help="Seconds to flush and close sessions after SIGTERM or SIGINT."),
]
Debug = Annotated[
    bool, typer.Option("--debug", rich_help_panel=_OUTPUT, help="Tracebacks of our own bugs.")
]


def _version(show: bool) -> None:
    if show:
        from nymproxy import __version__

        typer.echo(f"nymproxy {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def client(
    server_address: Annotated[
        str, typer.Option("--server-address", "-s", help="Nym address of the proxy server.")
    ],
    listen_address: Annotated[str, typer.Option(help="Local address to listen on.")] = "127.0.0.1",
    listen_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Local port; 0 lets the system choose.")
    ] = 8080,
    close_timeout: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Seconds without an answer, after the app's end of data, until the connection "
            "is closed.",
        ),
    ] = 30.0,
    env_path: EnvPath = None,
    client_pool_reserve: Annotated[
        int,
        typer.Option(
            min=0,
            rich_help_panel=_PRIVACY,
            help="Identities kept ready for new connections (or, in pool mode, in all).",
        ),
    ] = 2,
    wire: Annotated[
        Wire, typer.Option(help="Protocol towards the server: 'legacy' works with old servers.")
    ] = Wire.LEGACY,
    identity_mode: Annotated[
        IdentityMode,
        typer.Option(
            rich_help_panel=_PRIVACY,
            help="'per-connection': the server cannot link connections; 'pool': reused "
            "identities; 'shared': one identity, so all connections are linkable.",
        ),
    ] = IdentityMode.PER_CONNECTION,
    profile: ProfileOption = Profile.DEFAULT,
    address_file: AddressFile = None,
    grace_period: GracePeriod = 10.0,
    json_logs: JsonLogs = False,
    debug: Debug = False,
) -> None:
    """Listen on a local port and carry each connection to a proxy server in the mixnet."""
    from nymproxy.cli import client as command

    command.run(
        command.ClientSettings(
            server_address=server_address,
            listen_address=listen_address,
            listen_port=listen_port,
            close_timeout_seconds=close_timeout,
            env_path=env_path,
            client_pool_reserve=client_pool_reserve,
            wire=wire.value,
            identity_mode=identity_mode.value,
            profile=profile.value,
            address_file=address_file,
            grace_period_seconds=grace_period,
            json_logs=json_logs,
        )
    )


@app.command()
def server(
    upstream_tcp_address: Annotated[
        str,
        typer.Option(
            "--upstream-tcp-address",
            "-u",
            metavar="HOST:PORT",
            help="TCP service that connections are carried to.",
        ),
    ],
    config_dir: Annotated[
        str | None,
        typer.Option(
            "--config-dir",
            "-c",
            metavar="DIR",
            help="Keys and gateway registration, so that the Nym address stays. The path as "
            "given. Default: $HOME/tmp/nym-tcp-proxy-server, where the old binary kept it.",
        ),
    ] = None,
    compat_config_dir: Annotated[
        bool,
        typer.Option(
            "--compat-config-dir",
            help="Glue --config-dir to $HOME as the old binary did (/srv/x is $HOME/srv/x).",
        ),
    ] = False,
    env_path: EnvPath = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            "--gateway",
            "-g",
            rich_help_panel=_NETWORK,
            help="Identity (base58) of the gateway to register with. Default: chosen at random.",
        ),
    ] = None,
    accept: Annotated[
        Accept, typer.Option(help="Protocols served at the one Nym address.")
    ] = Accept.BOTH,
    close_to_legacy_clients: Annotated[
        bool,
        typer.Option(
            "--close-to-legacy-clients",
            help="Tell old clients when the upstream ends, too (Rust clients ignore it).",
        ),
    ] = False,
    profile: ProfileOption = Profile.DEFAULT,
    address_file: AddressFile = None,
    grace_period: GracePeriod = 10.0,
    json_logs: JsonLogs = False,
    debug: Debug = False,
) -> None:
    """Accept connections from the mixnet and carry each to one TCP service."""
    from nymproxy.cli import server as command

    command.run(
        command.ServerSettings(
            upstream_tcp_address=upstream_tcp_address,
            config_dir=config_dir,
            compat_config_dir=compat_config_dir,
            env_path=env_path,
            gateway=gateway,
            accept=accept.protocols,
            close_to_legacy_clients=close_to_legacy_clients,
            profile=profile.value,
            address_file=address_file,
            grace_period_seconds=grace_period,
            json_logs=json_logs,
        )
    )


@app.command()
def address(
    directory: Annotated[Path, typer.Argument(help="A config directory, ours or Rust's.")],
    json_output: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Print the Nym address of a config directory, offline."""
    import json

    from nymproxy.mixnet.storage import nym_address_of

    text = str(nym_address_of(directory))
    typer.echo(json.dumps({"address": text}) if json_output else text)


app.command()(local_commands.localnet)
app.command()(local_commands.demo)


def _report(error: BaseException, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    explained = outcome.explain(error)
    if explained is None:
        name = type(outcome.first_cause(error)).__name__
        explained = (
            f"a bug in nymproxy ({name}): run it again with --debug and report what it prints",
            outcome.EXIT_FAILED,
        )
    line, code = explained
    sys.stderr.write(f"nymproxy: {line}\n")
    return code


def run(arguments: list[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: those of the process) and return its code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        app(old_arguments.normalise(arguments), prog_name="nymproxy")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else outcome.EXIT_FAILED
    except KeyboardInterrupt:
        return outcome.EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return outcome.EXIT_FAILED
    except Exception as error:  # the last line of defence: never a traceback for the operator
        return _report(error, debug=debug)
    return outcome.EXIT_OK
