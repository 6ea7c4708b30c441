"""``python -m benchmarks.migration_scan``: time and memory of a scan over trees of two sizes.

One file in a hundred has something to do with the old proxies, in five formats; the others are
code, data and prose of 0.5 to 16 KiB. Each scan is a process of its own, as for a user.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

RELEVANT_EVERY = 100
_ADDRESS = "A" * 44 + "." + "B" * 44 + "@" + "C" * 44
_RELEVANT = (
    ("start-{}.sh", f"#!/bin/sh\nexec nym-proxy-client -s {_ADDRESS} --listen_port 80\n"),
    ("nym-{}.service", "[Service]\nUser=nym\nExecStart=nym-proxy-server -u 127.0.0.1:80 -c /x\n"),
    ("compose-{}.yaml", "services:\n  a:\n    image: nymproxy\n    command: [nym-proxy-client]\n"),
    ("{}.Dockerfile", 'FROM debian\nCMD ["nym-proxy-server", "-u", "127.0.0.1:80"]\n'),
    ("tasks-{}.toml", f'[tasks.a]\nrun = "nym-proxy-client -s {_ADDRESS}"\n'),
)
_OTHERS = ("mod_{}.py", "lib_{}.rs", "main_{}.go", "a-{}.sh", "v-{}.yaml", "d-{}.json", "n-{}.md")
_PROSE = (
    "the server address of a synonym is kept in a list command = run(client) # anonymous proxy "
    "def value: return None ; fn main() {} config listen upstream package import export 127.0.0.1"
)
_WORDS = _PROSE.split()
_SCAN = "import sys; from nymproxy_migrate.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Cost:
    """What one scan took."""

    files: int
    findings: int
    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


def make_tree(root: Path, files: int, seed: int) -> None:
    """Write a tree of so many files, in folders of fifty."""
    source = random.Random(seed)
    for index in range(files):
        folder = root / f"part-{index // 2000}" / f"sub-{index // 50}"
        folder.mkdir(parents=True, exist_ok=True)
        if index % RELEVANT_EVERY == 0:
            name, text = _RELEVANT[index // RELEVANT_EVERY % len(_RELEVANT)]
        else:
            name = _OTHERS[index % len(_OTHERS)]
            lines = int(8 * 2 ** source.uniform(0, 5))
            text = "".join(" ".join(source.choices(_WORDS, k=10)) + "\n" for _ in range(lines))
        (folder / name.format(index)).write_text(text)


def measure(root: Path, files: int) -> Cost:
    """Scan a tree in a process of its own."""
    output = root.parent / "findings.json"
    started = time.perf_counter()
    with open(output, "wb") as file:
        actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), 1)]
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", _SCAN, "scan", "--format", "json", str(root)],
            os.environ,
            file_actions=actions,
        )
        _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) != 1:
        raise SystemExit(f"the scan of {files} files failed")
    return Cost(
        files,
        output.read_bytes().count(b'"code":'),
        time.perf_counter() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
    )


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.migration_scan")
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 20_000])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| files | findings | wall (s) | CPU (s) | CPU per 1,000 files (ms) | peak RSS (MiB) |")
    print("|---:|---:|---:|---:|---:|---:|")
    for files in options.files:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "tree")
            make_tree(root, files, options.seed)
            cost = measure(root, files)
        per_thousand = cost.cpu_seconds / files * 1e6
        print(
            f"| {files:,} | {cost.findings} | {cost.wall_seconds:.2f} | {cost.cpu_seconds:.2f} "
            f"| {per_thousand:.0f} | {cost.peak_mib:.0f} |"
        )


if __name__ == "__main__":
    main()
