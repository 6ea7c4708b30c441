"""``python -m tests.fuzz``: give each decoder many inputs, guided by what they reach in it.

The engine is atheris (libFuzzer): it sees which branches an input takes and goes on from those that
reach new ones, at some 10^4 to 10^5 inputs a second. hypothesis, which the other tests use, makes
some 10^3 and does not look. atheris has wheels for Linux on x86-64 alone, and not for every Python:
elsewhere nothing is fuzzed, and this says so; tests/fuzz/test_targets.py runs everywhere.

An input that a decoder should not have failed on is kept in build/fuzz, and ends the run with 1.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path

FOUND = Path("build/fuzz")


def fuzz_one(name: str, cases: int, seed: int) -> int:
    """Fuzz one target in a process of its own, since the engine ends the process that it is in.

    Returns:
        The process's exit code.
    """
    from tests.fuzz.targets import TARGETS

    corpus = FOUND / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(data)
    child = os.fork()
    if child == 0:
        import atheris

        log = os.open(FOUND / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 2)
        options = [
            f"-runs={cases}",
            f"-seed={seed}",
            f"-artifact_prefix={FOUND}/{name}-",
            "-timeout=5",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ]
        atheris.Setup([name, *options, str(corpus)], TARGETS[name].run)
        atheris.Fuzz()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1, help="0 takes another one each time")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    options = parser.parse_args(arguments)
    try:
        import atheris
    except ImportError:
        print("no wheel of atheris for this Python and machine: nothing is fuzzed", file=sys.stderr)
        return 0
    with (
        redirect_stderr(io.StringIO()),  # one line for each module
        atheris.instrument_imports(include=["nymproxy"], enable_loader_override=False),
    ):
        from tests.fuzz.targets import TARGETS
    names = options.target or list(TARGETS)
    failed = []
    began = time.monotonic()
    for name in names:
        started = time.monotonic()
        each = max(1, options.cases // len(names))
        if fuzz_one(name, each, options.seed) != 0:
            failed.append(name)
        print(f"{name:22} {each:9,} cases {time.monotonic() - started:7.1f} s", flush=True)
    print(f"{options.cases:,} cases in {time.monotonic() - began:.0f} s", flush=True)
    for name in failed:
        print(f"{name} FAILED: see {FOUND / name}.log and the input beside it", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
