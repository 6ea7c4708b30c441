"""The flags that several subcommands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nymproxy_migrate.cli.choices import Target

Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files and folders; default: here.")
]
Docs = Annotated[bool, typer.Option("--docs", help="Fenced blocks of Markdown, too.")]
To = Annotated[
    Target, typer.Option(help="'stream' counts only for clients whose server is known, too.")
]
Decide = Annotated[
    list[str] | None, typer.Option("--decide", metavar="CODE=CHOICE", help="Take a decision.")
]

Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="As in .gitignore, read from here."),
]
Select = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="CODE", help="Only these findings; NYM01 is NYM010 to 19."),
]
Ignore = Annotated[
    list[str] | None, typer.Option("--ignore", metavar="CODE", help="Not these findings.")
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit", min=0, metavar="SECONDS", help="For all files together; default: an hour."
    ),
]
Program = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Where nymproxy is when the commands run. Default: where this one is, in units, "
        "crontabs and where the old program has a full path; its name alone elsewhere.",
    ),
]
StreamServers = Annotated[
    list[str] | None,
    typer.Option("--stream-server", metavar="ADDRESS", help="A server that speaks stream by now."),
]

AsJson = Annotated[
    bool, typer.Option("--json", help="As JSON; `nymproxy-migrate schema` describes it.")
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where runs are recorded. Default: $XDG_STATE_HOME/nymproxy-migrate.",
    ),
]
