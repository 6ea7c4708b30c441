"""``python -m benchmarks``: measure, print a Markdown table, write JSON lines; or compare files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.cells import PROFILES, QUICK_WORKLOADS, USUAL_WORKLOADS, WIRES, Selection
from benchmarks.compare import compare, comparison_table, least_of_each
from benchmarks.page import page
from benchmarks.records import RecordError, read_records, write_records
from benchmarks.runner import run, unknown_workloads
from benchmarks.table import report
from interop.programs import CLIENT_VARIABLE, PEERS_VARIABLE, SERVER_VARIABLE, locate
from nymproxy.testing.processes import run_until_signal

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures nymproxy on a local mixnet. Exit code 1: a byte was wrong.",
        epilog="python -m benchmarks compare BASELINE.jsonl NEW.jsonl compares two results.",
    )
    parser.add_argument(
        "--only",
        metavar="W1,W3",
        help="workloads, W1 to W17 (default: all but W14, with --quick some)",
    )
    parser.add_argument("--profile", choices=PROFILES, help="one traffic profile only")
    parser.add_argument("--wire", choices=WIRES, help="one wire only")
    parser.add_argument(
        "--peer",
        choices=("rust",),
        help="also with the Rust programs, run by run, on the same nodes",
    )
    parser.add_argument("--quick", action="store_true", help="few runs, a minute and a half")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw samples there")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with pictures there"
    )
    parser.add_argument("--runs", type=_positive, help="runs of each cell")
    parser.add_argument("--hours", type=float, default=0.5, help="of the soak, W14 (0.5)")
    parser.add_argument("--seed", type=int, default=1, help="of payloads and of the order")
    parser.add_argument(
        "--processes", type=_positive, default=1, help="processes that share the nodes' work"
    )
    return parser


def _compare_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks compare",
        description="Exit code 1: a packet costs over 15 % more CPU time (in X25519) than before.",
    )
    parser.add_argument("--update", action="store_true", help="make NEW the baseline")
    parser.add_argument("baseline", type=Path)
    parser.add_argument("new", type=Path)
    return parser


def _compare(arguments: list[str]) -> int:
    options = _compare_parser().parse_args(arguments)
    try:
        new = read_records(options.new)
        if options.update:
            write_records(options.baseline, least_of_each(new))
        found = compare(read_records(options.baseline), new)
    except (OSError, RecordError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    if not found:
        sys.stderr.write("the files have no CPU times in common: run W3, W7, W8 or W15 in both\n")
        return EXIT_USAGE
    sys.stdout.write(comparison_table(found))
    return EXIT_FAILED if any(one.is_regression for one in found) else EXIT_OK


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    if arguments[:1] == ["compare"]:
        return _compare(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    usual = QUICK_WORKLOADS if options.quick else USUAL_WORKLOADS
    only = usual if options.only is None else tuple(options.only.upper().split(","))
    if unknown := unknown_workloads(only):
        parser.error(f"no such workload: {', '.join(unknown)}")
    rust = locate()
    if options.peer == "rust" and rust.missing:
        names = ", ".join((CLIENT_VARIABLE, SERVER_VARIABLE, PEERS_VARIABLE))
        parser.error(f"no Rust programs: build them (python -m interop), or name them in {names}")
    selection = Selection(
        only=only,
        profile=options.profile,
        wire=options.wire,
        rust=options.peer == "rust",
        quick=options.quick,
        runs=options.runs,
        soak_seconds=options.hours * 3600,
    )
    try:
        records = run_until_signal(
            lambda: run(selection, seed=options.seed, processes=options.processes, rust=rust)
        )
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if options.json is not None:
        write_records(options.json, records)
    if options.html is not None:
        options.html.write_text(page(records))
    sys.stdout.write(report(records))
    return EXIT_OK if all(record.ok for record in records) else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
