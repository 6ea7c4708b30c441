"""Reads argument lists the way the old binaries did (clap 4), before typer sees them.

The old parser takes ``-sV`` and ``-s=V`` alike, and refuses a flag that is given twice; the parser
behind typer would read ``=V`` as the value, and let the last flag win. Flags that mean more than
one thing when they are given again are ours.
"""

from __future__ import annotations

from nymproxy.cli.old_flags import RENAMED, SHORT
from nymproxy.cli.settings import ClientSettings, ServerSettings
from nymproxy.cli.taking import switches
from nymproxy.errors import ConfigurationError

_LONG_NAMES = {
    short: f"--{name}" for flags in SHORT.values() for name, short in flags.items() if short
}
REPEATABLE = {"--allow-upstream", "--forward", "--gateway", "--server-address"}
_OLDER_NAMES = {f"--{old}": f"--{new}" for old, new in RENAMED.items()}
_SWITCHES = {"--help", *switches(ClientSettings), *switches(ServerSettings)}


def normalise(arguments: list[str]) -> list[str]:
    """Return ``arguments`` with ``-s=V`` split in two, and flags by the names that they have now.

    Raises:
        ConfigurationError: a flag of ``client`` or ``server`` is given twice.
    """
    if not arguments or arguments[0] not in SHORT:
        return arguments
    result = [arguments[0]]
    seen: set[str] = set()
    index = 1
    while index < len(arguments):
        argument = _renamed(arguments[index])
        index += 1
        if argument == "--":
            result += [argument, *arguments[index:]]
            break
        name, value = _split(argument)
        if name is None:
            result.append(argument)
            continue
        if name in seen and name not in REPEATABLE:
            raise ConfigurationError(f"{name} is given twice: give it once")
        seen.add(name)
        if argument[:2] in _LONG_NAMES and value is not None:
            result += [argument[:2], value]
        else:
            result.append(argument)
        if value is None and name not in _SWITCHES and index < len(arguments):
            result.append(arguments[index])
            index += 1
    return result


def _renamed(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return _OLDER_NAMES.get(name, name) + equals + value


def _split(argument: str) -> tuple[str | None, str | None]:
    """Return the long name and the attached value, or ``(None, None)`` for no flag."""
    if argument.startswith("--"):
        name, equals, value = argument.partition("=")
        return name, value if equals else None
    short = argument[:2]
    if short in _LONG_NAMES:
        rest = argument[2:]
        return _LONG_NAMES[short], rest.removeprefix("=") if rest else None
    return None, None
