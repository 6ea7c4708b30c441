"""``python -m interop``: build the Rust peers, run the matrix, write report and page."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from pathlib import Path

from benchmarks.environment import describe_machine
from interop.capture import capture_all
from interop.cells import CELLS, Cell, Workload
from interop.matrix import FULL, QUICK, run_matrix
from interop.page import page
from interop.patches import compile_all
from interop.programs import (
    CLIENT_VARIABLE,
    INTEROP,
    NEXT_VARIABLE,
    NYM_SDK_VERSION,
    PEERS_VARIABLE,
    SERVER_VARIABLE,
    ProgramMissing,
    build,
    build_peers,
)
from interop.records import Report
from interop.vectors import renew_vectors
from nymproxy.testing.processes import run_until_signal

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
IDENTITY, EXAMPLES, PATCHES = "identity", "examples", "patches"
REPORT = INTEROP / "report.json"
PAGE = INTEROP.parent / "docs" / "compatibility.md"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m interop",
        description="Runs our programs and the published Rust ones against each other on a local "
        "mixnet. Exit code 1: a cell failed that must not.",
        epilog=f"Existing programs are used when {CLIENT_VARIABLE}, {SERVER_VARIABLE}, "
        f"{PEERS_VARIABLE} and (for --vectors) {NEXT_VARIABLE} name them; otherwise they are built "
        "into interop/target, once.",
    )
    parser.add_argument("--quick", action="store_true", help="100 kB instead of 1 MB each way")
    parser.add_argument(
        "--only",
        metavar="TEXT",
        help=f"only cells whose name contains it, or {IDENTITY!r}, {EXAMPLES!r} or {PATCHES!r}",
    )
    parser.add_argument(
        "--workload", metavar="TEXT", default="", help="only workloads whose name contains it"
    )
    parser.add_argument(
        "--profile",
        choices=("bare", "default"),
        default="bare",
        help="of our ends; with default, small messages are sent twice, and only the cells are run "
        "in which one end is a Rust program, which must not warn of a copy",
    )
    parser.add_argument("--logs", type=Path, metavar="DIR", help="keep logs and directories there")
    parser.add_argument("--render", action="store_true", help="make only the page, from the report")
    parser.add_argument(
        "--capture", type=Path, metavar="DIR", help="capture what the Rust programs send, only"
    )
    parser.add_argument(
        "--vectors",
        type=Path,
        metavar="DIR",
        help="make the vector files of the tests anew there, by the crates of 1.21.6 and of 2.0.0, "
        "and run those tests on both sets, only",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of what --vectors draws")
    parser.add_argument("--build", action="store_true", help="build only")
    return parser


def read_report() -> Report:
    """Read the report in the repository."""
    return Report.from_json(json.loads(REPORT.read_text()))


def _environment() -> dict[str, object]:
    machine = describe_machine()
    kept = {name: machine[name] for name in ("commit", "python", "cpu", "cores", "kernel")}
    return {**kept, "nym_sdk": NYM_SDK_VERSION, "date": time.strftime("%Y-%m-%d", time.gmtime())}


def _chosen(text: str | None, profile: str) -> tuple[Cell, ...]:
    cells = CELLS if profile == "bare" else tuple(cell for cell in CELLS if cell.is_mixed)
    return tuple(cell for cell in cells if text is None or text.lower() in cell.name.lower())


def _run(options: argparse.Namespace) -> int:
    cells = _chosen(options.only, options.profile)
    chosen = [one for one in Workload if options.workload.lower() in one.value.lower()]
    is_everything = (
        options.only is None and len(chosen) == len(Workload) and options.profile == "bare"
    )
    with_identity = is_everything or options.only == IDENTITY
    with_examples = is_everything or options.only == EXAMPLES
    if options.only == PATCHES:
        return EXIT_OK if compile_all() else EXIT_FAILED
    if not chosen:
        sys.stderr.write(f"no workload has {options.workload!r} in its name\n")
        return EXIT_USAGE
    if not (cells or with_identity or with_examples):
        sys.stderr.write(f"no cell has {options.only!r} in its name\n")
        return EXIT_USAGE
    programs = build()
    if options.build:
        return EXIT_OK
    patches_compile = not is_everything or compile_all()
    if options.capture is not None:
        options.capture.mkdir(parents=True, exist_ok=True)
        run_until_signal(lambda: capture_all(programs, options.capture))
        return EXIT_OK
    if options.logs is not None:
        options.logs.mkdir(parents=True, exist_ok=True)
    scale = QUICK if options.quick else FULL
    records, turns, examples = run_until_signal(
        lambda: run_matrix(
            programs,
            scale,
            cells,
            options.logs,
            chosen=chosen,
            profile=options.profile,
            with_identity=with_identity,
            with_examples=with_examples,
        )
    )
    report = Report(
        scale.name,
        scale.bulk_bytes,
        {**_environment(), "profile": options.profile},
        tuple(records),
        tuple(turns),
        tuple(examples),
    )
    if is_everything:
        REPORT.write_text(json.dumps(report.to_json(), indent=1) + "\n")
        PAGE.write_text(page(report))
    sys.stdout.write(page(report))
    return EXIT_OK if report.ok and patches_compile else EXIT_FAILED


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("nymproxy.interop").setLevel(logging.INFO)
    if options.render:
        PAGE.write_text(page(read_report()))
        return EXIT_OK
    try:
        if options.vectors is not None:
            passed = renew_vectors(build_peers(), options.vectors, options.seed)
            return EXIT_OK if passed else EXIT_FAILED
        return _run(options)
    except ProgramMissing as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
