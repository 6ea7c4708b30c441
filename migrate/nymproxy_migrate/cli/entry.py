"""From the arguments of the process to its exit code, whatever goes wrong in between."""

from __future__ import annotations

import shlex
import sys
import traceback
from io import TextIOWrapper

from nymproxy._printable import printable
from nymproxy._standard_streams import open_standard_streams
from nymproxy.cli.root import discard_output, is_windows
from nymproxy_migrate.cli.app import app

EXIT_DONE = 0
EXIT_FAILED = 2
EXIT_INTERRUPTED = 130


def run(arguments: list[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: those of the process) and return its code."""
    from nymproxy_migrate.refused import Refused

    open_standard_streams()
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if is_windows():
        _write_utf8()
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return EXIT_FAILED
    except Refused as error:
        return _say(str(error))
    except OSError as error:
        return _say(f"{error.filename or 'system'}: {error.strerror or type(error).__name__}")
    except Exception as error:  # whatever is left is reported in one line; --debug shows it all
        return _report(error, debug="--debug" in arguments)


def _run(arguments: list[str]) -> int:
    from nymproxy_migrate.cli.configured import configure, show_settings
    from nymproxy_migrate.cli.shared import COMMAND, OUTPUT

    configured = configure(app, arguments)
    if "show-settings" in configured.given:
        sys.stdout.write(show_settings(app, configured))
        return EXIT_DONE
    token = OUTPUT.set(configured.output())
    typed = COMMAND.set(shlex.join(["nymproxy-migrate", *arguments]))
    try:
        code = app(
            configured.arguments,
            prog_name="nymproxy-migrate",
            standalone_mode=False,
            default_map=configured.defaults(),
        )
    finally:
        COMMAND.reset(typed)
        OUTPUT.reset(token)
    return code if isinstance(code, int) else EXIT_DONE


def _write_utf8() -> None:
    # A file or a pipe gets there what the system's language has, which lacks most of it.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _report(error: Exception, *, debug: bool) -> int:
    # Wrong usage; the class moved between versions of typer, its method did not.
    if hasattr(error, "format_message"):
        from nymproxy.cli.root import usage_text

        return _say(f"{usage_text(error)} See nymproxy-migrate --help")
    if debug:
        traceback.print_exception(error)
    from nymproxy_migrate.installing import missing

    bug = f"a bug of nymproxy-migrate: {type(error).__name__}; see it with --debug"
    return _say(missing(error) or bug)


def _say(message: str) -> int:
    sys.stderr.write(f"nymproxy-migrate: {printable(message)}\n")
    return EXIT_FAILED
