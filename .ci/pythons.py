"""Print the oldest and the newest Python here that pyproject.toml lists, one path a line; with
`--all` those between, too.

They are looked for on PATH and where pyenv and uv put theirs; one that cannot make a virtual
environment does not count. Prints one line if there is one only, and fails if there is none.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ASK = (
    "import sys, ensurepip, venv\n"
    "assert sys.version_info.releaselevel == 'final'\n"
    "print(*sys.version_info[:2], sys.executable)"
)


def supported(pyproject: str) -> set[tuple[int, int]]:
    """Return the versions that the classifiers name."""
    found = re.findall(r'"Programming Language :: Python :: (3)\.(\d+)"', pyproject)
    return {(int(major), int(minor)) for major, minor in found}


def candidates() -> list[Path]:
    home = Path.home()
    folders = [Path(folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    folders += [*pyenv.glob("versions/*/bin"), *home.glob(".local/share/uv/python/*/bin")]
    return [path for folder in folders for path in sorted(folder.glob("python3*"))]


def usable(pythons: list[Path], wanted: set[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Ask each for its version; of two that are of the same one, the first is taken."""
    found: dict[tuple[int, int], str] = {}
    for python in pythons:
        if re.fullmatch(r"python3(\.\d+)?", python.name):
            try:
                answer = subprocess.run(
                    [str(python), "-c", ASK], capture_output=True, text=True, timeout=30
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            if answer.returncode == 0:
                major, minor, executable = answer.stdout.strip().split(" ", 2)
                version = (int(major), int(minor))
                if version in wanted:
                    found.setdefault(version, executable)
    return found


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    wanted = supported((root / "pyproject.toml").read_text())
    found = usable(candidates(), wanted)
    if not found:
        versions = ", ".join(f"3.{minor}" for _, minor in sorted(wanted))
        print(f"no Python of {versions} with venv and ensurepip here", file=sys.stderr)
        return 1
    for version in sorted(found if "--all" in sys.argv[1:] else {min(found), max(found)}):
        print(found[version])
    return 0


if __name__ == "__main__":
    sys.exit(main())
