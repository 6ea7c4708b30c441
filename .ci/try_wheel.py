"""Is a wheel what a user can install and use? Tries it in new environments.

    python .ci/try_wheel.py [--demos-on-first] WHEEL PYTHON...

For each Python: a new environment, the wheel as a library, then from an empty folder the import and
its price, two type checkers over a user's program, and what the commands say without their extras;
then with all that `nymproxy-migrate` needs, and both demos. What installs and the type checkers are
those of the environment that runs this.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
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


def run(python: str, *command: str | Path, cwd: Path | None = None) -> None:
    """Run a command that must succeed; what it prints is shown as a whole, as others run, too."""
    print(python, "$", *command, flush=True)
    ended = subprocess.run(
        [str(part) for part in command], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    print(ended.stdout.decode(errors="replace"), end="", flush=True)
    if ended.returncode:
        raise SystemExit(f"{python}: exit code {ended.returncode}: {' '.join(map(str, command))}")


def refuses(command: Path, extra: str) -> None:
    """Check that a command says which extra it lacks, in one line."""
    asked = subprocess.run([str(command), "--version"], capture_output=True, text=True)
    assert asked.returncode == 2, asked
    assert f"nymproxy{extra}" in asked.stderr, asked
    assert asked.stderr.count("\n") == 1, asked


def try_with(python: str, wheel: Path, *, demos: bool) -> None:
    own = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="nymproxy-wheel-") as folder:
        environment, elsewhere = Path(folder) / "venv", Path(folder) / "elsewhere"
        elsewhere.mkdir()
        run(python, python, "-m", "venv", "--without-pip", environment)
        there, binaries = environment / "bin" / "python", environment / "bin"
        install = (own / "python", "-m", "pip", "--python", there, "install", "--quiet")
        run(python, *install, wheel)
        run(python, there, "-c", IMPORT, cwd=elsewhere)
        for command, extra in (("nymproxy", "[cli]"), ("nymproxy-migrate", "[migrate]")):
            refuses(binaries / command, extra)
        (elsewhere / "program.py").write_text(PROGRAM)
        mypy = (own / "python", "-m", "mypy", "--strict", "--python-executable", there)
        run(python, *mypy, "program.py", cwd=elsewhere)
        run(python, own / "pyright", "--pythonpath", there, "program.py", cwd=elsewhere)
        run(python, *install, f"{wheel}[migrate]")
        for module in ("nymproxy", "nymproxy_migrate"):
            run(python, there, "-m", module, "--version", cwd=elsewhere)
        if demos:
            run(python, binaries / "nymproxy", "demo", cwd=elsewhere)
            run(python, binaries / "nymproxy-migrate", "demo", cwd=elsewhere)


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--demos-on-first", action="store_true")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("pythons", nargs="+")
    asked = parser.parse_args()
    # A type checker takes what is installed there, and nothing of the sources.
    os.environ.pop("MYPYPATH", None)
    wheel = asked.wheel.resolve()
    # Two at once: a demo waits for the timers of a network most of the time.
    with ThreadPoolExecutor(2) as threads:
        tried = [
            threads.submit(try_with, python, wheel, demos=not number or not asked.demos_on_first)
            for number, python in enumerate(asked.pythons)
        ]
        for each in tried:
            each.result()


if __name__ == "__main__":
    main()
