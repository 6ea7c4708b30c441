"""``python -m tests.coverage_gate [--core]``: holds what was measured against what is promised.

The wire and the machines (all modules that do no I/O, as tests/test_sans_io.py lists them) have
every line and branch covered. With ``--core`` that is all that is looked at: the core tests alone
must reach it. Otherwise the whole must be above its floor as well, and README.md give its number,
and of how many lines and branches. That is measured by hand, since it takes too long for CI. There
the core tests look at README.md, too: a number there must be about the code as it is, give or take.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.test_sans_io import sans_io_modules

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
FLOOR_PERCENT = 95
README_NUMBER = re.compile(r"(\d+) % of all ([\d,]+) branches and lines")
AGE_PERCENT = 5
"""By how much the count may have changed since the number was measured."""

# Rooms that run the other side of the wire, or tests: they count in the whole only.
NO_PRODUCT = ("nymproxy.localnet", "nymproxy.testing")

# Modules without I/O that only tests of whole proxies reach: the core tests leave them out.
BEYOND_CORE = {"nymproxy.legacy.background", "nymproxy.legacy.wire"}


@dataclass(frozen=True)
class Measured:
    """What of one module was covered.

    Attributes:
        count: its statements and branches.
        covered: how many of them ran.
        missing: lines, and branches as ``from->to``, that did not.
    """

    module: str
    count: int
    covered: int
    missing: tuple[str, ...]


def read_report(report: dict[str, Any]) -> list[Measured]:
    """Read what ``coverage json`` wrote."""
    found = []
    for name, file in report["files"].items():
        summary = file["summary"]
        missing = [str(line) for line in file["missing_lines"]]
        missing += [
            f"{start}->{end}"
            for start, end in file["missing_branches"]
            if start not in file["missing_lines"]
        ]
        module = name.removeprefix("migrate/").removesuffix(".py").replace("/", ".")
        found.append(
            Measured(
                module.removesuffix(".__init__"),
                summary["num_statements"] + summary["num_branches"],
                summary["covered_lines"] + summary["covered_branches"],
                tuple(missing),
            )
        )
    return found


def percent(modules: Iterable[Measured]) -> float:
    listed = list(modules)
    return 100 * sum(each.covered for each in listed) / max(1, sum(each.count for each in listed))


def complaints(modules: list[Measured], *, core: bool, readme: str) -> list[str]:
    """Return what does not hold, one line each."""
    pure = {module for module in sans_io_modules() if not module.startswith(NO_PRODUCT)}
    pure -= BEYOND_CORE if core else set()
    unmeasured = pure - {each.module for each in modules}
    found = [f"{module} was not measured" for module in sorted(unmeasured)]
    for each in modules:
        if each.module in pure and each.missing:
            where = ", ".join(each.missing)
            found.append(f"{each.module} does no I/O and is not covered at {where}")
    count = sum(each.count for each in modules)
    said = README_NUMBER.search(readme)
    said_percent = int(said[1]) if said else 0
    said_count = int(said[2].replace(",", "")) if said else 0
    is_of_today = abs(said_count - count) * 100 <= count * AGE_PERCENT
    if core:
        if said is not None and (said_percent < FLOOR_PERCENT or not is_of_today):
            found.append(
                f"README.md has {said_percent} % of {said_count:,} branches and lines, and there "
                f"are {count:,}: say there what `make coverage` measures today"
            )
        return found
    whole = percent(modules)
    if whole < FLOOR_PERCENT:
        found.append(f"the whole is covered at {whole:.1f} %, and must be at {FLOOR_PERCENT} %")
    if said_percent != int(whole) or not is_of_today:
        found.append(f"README.md must say {int(whole)} % of all {count:,} branches and lines")
    return found


def by_room(modules: list[Measured]) -> str:
    """Return a table: each room, its percentage, and what it lacks most."""
    rooms: dict[str, list[Measured]] = defaultdict(list)
    for each in modules:
        parts = each.module.split(".")
        rooms[".".join(parts[: 3 if parts[1:2] == ["mixnet"] else 2])].append(each)
    lines = []
    for room, listed in sorted(rooms.items()):
        worst = min(listed, key=lambda module: module.covered - module.count)
        lacks = f"   most in {worst.module}" if worst.missing else ""
        lines.append(f"{percent(listed):6.1f} %  {room}{lacks}")
    return "\n".join([*lines, f"{percent(modules):6.1f} %  whole"])


def main(arguments: list[str]) -> int:
    from coverage import Coverage

    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        coverage = Coverage(config_file=str(ROOT / "pyproject.toml"), messages=False)
        coverage.load()
        coverage.json_report(outfile=file.name)
        modules = read_report(json.loads(Path(file.name).read_text()))
    core = "--core" in arguments
    if not core:
        print(by_room(modules))
    found = complaints(modules, core=core, readme=(ROOT / "README.md").read_text())
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
