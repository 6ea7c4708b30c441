"""Is what `make dist` built what a user can install and use? Tries a wheel in new environments.

    python .ci/try_wheel.py WHEEL PYTHON...

For each Python: a new environment, the wheel as a library, then from an empty folder the import and
its price, two type checkers over a user's program, and what the commands say without their extras;
then with all that `nymproxy-migrate` needs, and both demos.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

IMPORT_SECONDS = 0.2
IMPORT = (
    "import time; start = time.process_time(); import nymproxy; "
    f"spent = time.process_time() - start; assert spent < {IMPORT_SECONDS}, spent; "
    "assert 'site-packages' in nymproxy.__file__, nymproxy.__file__"
)
PROGRAM = """\
from nymproxy import MixnetClient, MixnetStream


async def greet(address: str) -> bytes:
    async with await MixnetClient.connect("net.env") as client:
        stream: MixnetStream = await client.open_stream(address)
        await stream.send(b"hello")
        return await stream.receive()
"""


def run(*command: str | Path, cwd: Path | None = None) -> None:
    print("$", *command, flush=True)
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)


def refuses(command: Path, extra: str) -> None:
    """Check that a command says which extra it lacks, in one line."""
    print("$", command, "--version", flush=True)
    asked = subprocess.run([str(command), "--version"], capture_output=True, text=True)
    assert asked.returncode == 2, asked
    assert f"nymproxy{extra}" in asked.stderr, asked
    assert asked.stderr.count("\n") == 1, asked


def try_with(python: str, wheel: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="nymproxy-wheel-") as folder:
        environment, elsewhere = Path(folder) / "venv", Path(folder) / "elsewhere"
        elsewhere.mkdir()
        run(python, "-m", "venv", environment)
        binaries = environment / "bin"
        install = (binaries / "python", "-m", "pip", "install", "--quiet")
        run(*install, wheel)
        run(binaries / "python", "-c", IMPORT, cwd=elsewhere)
        for command, extra in (("nymproxy", "[cli]"), ("nymproxy-migrate", "[migrate]")):
            refuses(binaries / command, extra)
        run(*install, "mypy", "pyright")
        (elsewhere / "program.py").write_text(PROGRAM)
        run(binaries / "mypy", "--strict", "program.py", cwd=elsewhere)
        run(binaries / "pyright", "--pythonpath", binaries / "python", "program.py", cwd=elsewhere)
        run(*install, f"{wheel}[migrate]")
        run(binaries / "python", "-m", "nymproxy", "--version", cwd=elsewhere)
        run(binaries / "python", "-m", "nymproxy_migrate", "--version", cwd=elsewhere)
        run(binaries / "nymproxy", "demo", cwd=elsewhere)
        run(binaries / "nymproxy-migrate", "demo", cwd=elsewhere)


def main() -> None:
    wheel, *pythons = sys.argv[1:]
    for python in pythons:
        try_with(python, Path(wheel).resolve())


if __name__ == "__main__":
    main()
