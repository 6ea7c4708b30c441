"""The subcommands and their flags. What a subcommand needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nymproxy.cli.root import Version, new_app
from nymproxy_migrate.cli.choices import Format, ParityFormat, Sidecar, Target
from nymproxy_migrate.cli.flags import (
    AsJson,
    Decide,
    Docs,
    Exclude,
    Ignore,
    Paths,
    Program,
    Select,
    StateDir,
    StreamServers,
    TimeLimit,
    To,
)

app = new_app(
    "nymproxy-migrate", "Find uses of the old TcpProxy, rewrite their commands, and undo that."
)


@app.callback()
def _root(
    version: Version = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Results and decisions about linkability only.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say on stderr what is going on.")
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Plain text.")] = False,
    show_settings: Annotated[
        bool, typer.Option("--show-settings", help="Show a subcommand's settings, and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks of our own bugs.")] = False,
) -> None:
    # These flags may stand anywhere, and are read before the parser sees them.
    pass


@app.command()
def scan(
    paths: Paths = None,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    form: Annotated[
        Format, typer.Option("--format", help="'github': annotations of GitHub Actions.")
    ] = Format.TEXT,
    docs: Docs = False,
    exclude: Exclude = None,
    select: Select = None,
    ignore: Ignore = None,
    time_limit: TimeLimit = None,
    live: Annotated[
        bool, typer.Option("--live", help="Running old proxies; files only with PATH.")
    ] = False,
    stdin_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="With - for PATH: what standard input is called, Dockerfile say."
        ),
    ] = None,
) -> None:
    """Find every use of the old proxies; changes nothing. Exit code 1 if there is any."""
    from nymproxy_migrate.cli import commands

    form_name = "json" if as_json else form.value
    options = commands.options_of(
        paths or [], docs=docs, exclude=exclude, select=select, ignore=ignore, time_limit=time_limit
    )
    raise typer.Exit(
        commands.scan(paths or [], options, form=form_name, live=live, stdin_name=stdin_name)
    )


@app.command()
def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="NYM001, say; without it: all codes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a finding means and what to do about it."""
    from nymproxy_migrate.cli import commands

    commands.explain(code, as_json=as_json)


@app.command()
def schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A subcommand: scan, plan, ...")],
) -> None:
    """Print the JSON schema of what a subcommand gives with --json, or of a plan."""
    from nymproxy_migrate.cli import commands

    commands.schema(name)


_OF_A_SCAN = ("paths", "docs", "exclude", "select", "ignore", "decide", "to", "program")


def _is_given(context: typer.Context, parameter: str) -> bool:
    # Not what a settings file says.
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


@app.command()
def rewrite(
    context: typer.Context,
    paths: Paths = None,
    docs: Docs = False,
    exclude: Exclude = None,
    select: Select = None,
    ignore: Ignore = None,
    time_limit: TimeLimit = None,
    to: To = Target.AUTO,
    decide: Decide = None,
    program: Program = None,
    stream_server: StreamServers = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write it; `rollback` takes it back.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if any file cannot be written.")
    ] = False,
    state_dir: StateDir = None,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Write exactly this plan."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="With --plan: where the tree is now, if it was moved.")
    ] = None,
    suggestion: Annotated[
        Path | None,
        typer.Option("--rust-suggest", metavar="DIR", help="Put a patch for Rust programs there."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show as a unified diff what would be rewritten; write it with --write or --plan."""
    from nymproxy_migrate.cli import commands
    from nymproxy_migrate.refused import Refused

    if suggestion is not None:
        from nymproxy_migrate.cli.rust_suggest import rust_suggest

        if write or plan_file or as_json or docs or decide or to is not Target.AUTO:
            raise Refused("--rust-suggest DIR goes with paths only")
        raise typer.Exit(rust_suggest(suggestion, paths or [Path()]))
    if plan_file is not None:
        if any(_is_given(context, name) for name in _OF_A_SCAN):
            raise Refused("--plan FILE goes without paths and without what a scan is asked")
        raise typer.Exit(commands.write_plan(plan_file, root, state_dir, as_json=as_json))
    if root is not None:
        raise Refused("--root goes with --plan FILE")
    options = commands.options_of(
        paths or [],
        docs=docs,
        exclude=exclude,
        select=select,
        ignore=ignore,
        time_limit=time_limit,
        to=to.value,
        decide=decide,
        program=program,
        stream_servers=stream_server,
    )
    if write:
        done = commands.write(paths or [], options, state_dir, strict=strict, as_json=as_json)
        raise typer.Exit(done)
    raise typer.Exit(commands.rewrite(paths or [], options, as_json=as_json))


@app.command()
def plan(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The plan; '-' is stdout.")
    ],
    paths: Paths = None,
    docs: Docs = False,
    exclude: Exclude = None,
    select: Select = None,
    ignore: Ignore = None,
    time_limit: TimeLimit = None,
    to: To = Target.AUTO,
    decide: Decide = None,
    program: Program = None,
    stream_server: StreamServers = None,
) -> None:
    """Write a plan (JSON) that can be reviewed and then applied with `rewrite --plan`."""
    from nymproxy_migrate.cli import commands

    options = commands.options_of(
        paths or [],
        docs=docs,
        exclude=exclude,
        select=select,
        ignore=ignore,
        time_limit=time_limit,
        to=to.value,
        decide=decide,
        program=program,
        stream_servers=stream_server,
    )
    raise typer.Exit(commands.make_plan(output, paths or [], options))


@app.command()
def sidecar(
    paths: Paths = None,
    form: Annotated[
        Sidecar, typer.Option("--format", help="A unit or a service.")
    ] = Sidecar.SYSTEMD,
    program: Program = None,
) -> None:
    """Print the file that runs a proxy beside each Go or Rust program that makes one itself."""
    from nymproxy_migrate.cli.sidecar import sidecar as command

    raise typer.Exit(command(paths or [Path()], form.value, program))


@app.command()
def rollback(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Default: the last run.")
    ] = None,
    root: Annotated[Path, typer.Option(help="The tree that was rewritten.")] = Path(),
    moved_from: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the tree was, if it was moved.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="FILE", help="Leave this file as it is, even if changed."),
    ] = None,
    list_runs: Annotated[
        bool, typer.Option("--list", help="List the runs and where their originals are.")
    ] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Put back the bytes and modes of all files of a run."""
    from nymproxy_migrate.cli import commands
    from nymproxy_migrate.refused import Refused

    if list_runs:
        if run_id is not None or keep or moved_from or as_json:
            raise Refused("--list goes with --root and --state-dir only")
        commands.list_runs(root, state_dir)
        return
    commands.roll_back(run_id, root, state_dir, moved_from, keep=keep or [], as_json=as_json)


@app.command()
def demo(
    deployment: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="The example deployment, elsewhere; it is copied."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the comparison's report here, as HTML."),
    ] = None,
) -> None:
    """Show a whole migration on a copy of the example deployment, commands running included."""
    from nymproxy_migrate.cli import demo as command

    raise typer.Exit(command.demo(deployment, report))


@app.command()
def doctor(
    env_path: Annotated[
        Path | None, typer.Option("--env-path", "-e", help="Env file. Without it: mainnet.")
    ] = None,
    config_dir: Annotated[
        Path | None,
        typer.Option("--config-dir", "-c", metavar="DIR", help="Keys and registration to look at."),
    ] = None,
    gateway: Annotated[
        str | None, typer.Option("--gateway", "-g", help="Gateway (base58) that must be there.")
    ] = None,
    listen_address: Annotated[
        str, typer.Option(help="Where the client will listen.")
    ] = "127.0.0.1",
    listen_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port that must be free.")
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            "--upstream-tcp-address", "-u", metavar="HOST:PORT", help="Service behind the server."
        ),
    ] = None,
    program: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="nymproxy as units and scripts will start it."),
    ] = None,
    unit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A systemd unit: its program, HOME, directory."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for each check.")] = 15.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="For a bug report: no keys, addresses, env values.")
    ] = False,
) -> None:
    """Check what a migration meets: network, keys, ports, clock. Exit code 1 if a check fails."""
    from nymproxy_migrate.cli import doctor as command

    settings = command.settings_of(
        env_path=env_path,
        config_dir=config_dir,
        gateway=gateway,
        listen_address=listen_address,
        listen_port=listen_port,
        upstream=upstream,
        program=program,
        unit=unit,
        timeout=timeout,
    )
    raise typer.Exit(command.doctor(settings, as_json=as_json))


@app.command()
def parity(
    legacy: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A server that runs, legacy wire.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A server that runs, stream wire.")
    ] = None,
    env: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The network of these servers.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Traffic of the clients towards these servers.")
    ] = None,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Run the commands of a plan on the mixnet."),
    ] = None,
    old: Annotated[
        bool, typer.Option("--old", help="Run the old programs themselves on the legacy side.")
    ] = False,
    old_client: Annotated[
        Path | None, typer.Option(metavar="PATH", help="nym-proxy-client; implies --old.")
    ] = None,
    old_server: Annotated[
        Path | None, typer.Option(metavar="PATH", help="nym-proxy-server; implies --old.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Less work, coarser figures.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the payloads.")] = 1,
    form: Annotated[
        ParityFormat, typer.Option("--format", help="'html': one page that opens offline.")
    ] = ParityFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: stdout.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> None:
    """Do the same work over the legacy way and the stream way, and compare.

    Without addresses on a mixnet of its own: nymproxy with the old wire against nymproxy with the
    new one, or with --old the old programs against nymproxy. With addresses against servers that
    lead to `python -m nymproxy.testing.upstream`. Exit code 1 if the stream way is worse.
    """
    from nymproxy_migrate.cli import parity as body

    form_name = "json" if as_json else form.value
    options = body.Options(
        *(legacy, stream, env, profile, quick, seed, form_name, output, plan_file),
        *(old, old_client, old_server),
    )
    raise typer.Exit(body.parity(options))
