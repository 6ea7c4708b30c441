"""The console blocks of all pages but the guide: run one after another, on one local mixnet, but
for the commands that are listed here, each with the reason why not."""

from __future__ import annotations

import re
import shutil
import socketserver
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.cli.configuration import load
from tests.console import Step, run, steps_of
from tests.legacy.proxies import free_port
from tests.pages import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SETS_UP = "installs what the tests already run in; `.ci/run` begins with it"
_IN_CI = "`.ci/run` runs it, or what it is made of"
_TRIED = "installs; `.ci/try_wheel.py` does, on each Python"
_LONG = "takes minutes or hours; tests/benchmarks has its parts"
NOT_RUN = {
    "make .venv/.installed && . .venv/bin/activate": _SETS_UP,
    "python -m pip wheel --no-deps --wheel-dir dist . && sha256sum dist/*.whl": _IN_CI,
    "pipx install './dist/nymproxy-0.1.0-py3-none-any.whl[migrate]'": _TRIED,
    "uv tool install './dist/nymproxy-0.1.0-py3-none-any.whl[migrate]'": _TRIED,
    "pip install ./dist/nymproxy-0.1.0-py3-none-any.whl": _TRIED,
    "make demo": _IN_CI,
    "make test": _IN_CI,
    "make lint": _IN_CI,
    ".venv/bin/python -m pytest -q tests/traffic/test_lanes.py": "is part of this very run",
    "make bench": _LONG,
    "python -m benchmarks --only W1,W3 --profile bare": _LONG,
    "python -m benchmarks --json all.jsonl --html all.html": _LONG,
    "python -m benchmarks --only W14 --hours 8": _LONG,
    "python -m benchmarks --only W1,W9 --profile default --peer rust": f"{_LONG}; needs cargo",
}
EXHAUSTIVE = {"python -m benchmarks --only W15"}
LONG_STORIES = {"nymproxy run -c nymproxy.toml &"}
"""Blocks with one of these are run as a whole by `pytest -m exhaustive` only."""
EXIT_CODES = {  # of the example: there are findings, and work left for a human
    "nymproxy-migrate scan": 1,
    "nymproxy-migrate plan -o migration.json": 1,
}
LASTING = re.compile(r"nymproxy (localnet|server|client|run) |python \S+_server\.py ")

# No ssh server runs here: a program of that name reads what one says first, as soon as it does.
_SSH = """#!/usr/bin/env python3
import socket, sys, time
for _ in range(300):
    try:
        with socket.create_connection((sys.argv[3], int(sys.argv[2]))) as app:
            line = app.makefile().readline()
    except OSError:
        line = ""
    if line:
        sys.exit(line != "SSH-2.0-pretended\\n")
    time.sleep(0.1)
sys.exit("nothing came")
"""


class _Banner(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"SSH-2.0-pretended\n")


@contextmanager
def service() -> Iterator[str]:
    """What the pages have at 127.0.0.1:22."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Banner) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "{}:{}".format(*server.server_address)
        server.shutdown()


def begins_anew(steps: list[Step]) -> bool:
    return steps[0].command.startswith(("nymproxy localnet", "nymproxy-migrate"))


def stories(*, exhaustive: bool) -> list[list[Step]]:
    """What is to be run, as one does it: in a folder for each, the network's own page first."""
    left_out = {*NOT_RUN, *(() if exhaustive else EXHAUSTIVE)}
    found = [(page, steps_of(block)) for page, block in blocks("console")]
    found.sort(key=lambda each: each[0].name != "localnet.md")
    made: list[list[Step]] = []
    before = None
    for page, steps in found:
        if not exhaustive and any(step.command in LONG_STORIES for step in steps):
            continue
        kept = [step for step in steps if step.command not in left_out]
        if kept and (page != before or begins_anew(kept)):
            made.append([])
        made[-1] += kept
        before = page if kept else before
    return made


def prepared(folder: Path, first: Path) -> None:
    """Make a folder with what the pages say is there, and the network of the first one."""
    shutil.copytree(ROOT / "migrate" / "nymproxy_migrate" / "demo" / "deployment", folder)
    for name in ("before.jsonl", "after.jsonl"):
        shutil.copy(ROOT / "benchmarks" / "baseline.jsonl", folder / name)
    (folder / "examples").symlink_to(ROOT / "examples")
    if folder != first:
        (folder / "net").symlink_to(first / "net")


def runnable(step: Step, upstream: str, port: int) -> Step:
    """Return a step with this machine's addresses, in the background if it lasts."""
    command = re.sub(r"127\.0\.0\.1:22\b", upstream, step.command).replace("2222", str(port))
    command = command.replace(" ADDRESS", ' "$(nymproxy address keys)"')
    if LASTING.match(command) and not command.endswith("&"):
        command += " &"
    return Step(command, EXIT_CODES.get(step.command, step.exit_code), step.lines)


async def steps_to_run(folder: Path, upstream: str, *, exhaustive: bool) -> list[Step]:
    made: list[Step] = []
    for number, steps in enumerate(stories(exhaustive=exhaustive)):
        port = await free_port()
        own = [runnable(step, upstream, port) for step in steps]
        # The network goes on from story to story.
        own = [step for step in own if not made or "nymproxy localnet" not in step.command]
        if own:
            own[0].folder = folder / str(number)
            prepared(own[0].folder, folder / "0")
        made += own
    return made


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "exhaustive", [False, pytest.param(True, marks=pytest.mark.exhaustive)], ids=["fast", "all"]
)
@pytest.mark.skipif(shutil.which("bash") is None, reason="the commands are for bash")
def test_what_can_be_run_does_what_the_pages_say(exhaustive: bool, tmp_path: Path) -> None:
    for command, reason in NOT_RUN.items():
        print(f"not run: {command}  ({reason})")
    programs, record = tmp_path / "programs", tmp_path / "record"
    programs.mkdir()
    (programs / "ssh").write_text(_SSH)
    (programs / "ssh").chmod(0o755)
    with service() as upstream:
        steps = anyio.run(partial(steps_to_run, tmp_path, upstream, exhaustive=exhaustive))
        environment = {"XDG_STATE_HOME": str(record / "state"), "PYTHONPATH": str(ROOT)}
        if not exhaustive:  # cover traffic of four identities would take most of a busy machine
            environment |= dict.fromkeys(
                ("NYMPROXY_SERVER_PROFILE", "NYMPROXY_CLIENT_PROFILE"), "bare"
            )
        run(steps, tmp_path, record, environment, 200, programs)


def test_what_is_not_run_is_on_a_page_and_has_no_other_reason() -> None:
    shown = {step.command for _, block in blocks("console") for step in steps_of(block)}
    assert set(NOT_RUN) | EXHAUSTIVE | set(EXIT_CODES) <= shown
    assert not EXHAUSTIVE & set(NOT_RUN)


def test_the_ssh_session_takes_less_than_ten_commands(tmp_path: Path) -> None:
    """And what they write to the file of `nymproxy run` is what that takes."""
    (steps,) = (
        steps_of(block) for _, block in blocks("console") if "nymproxy run -c nymproxy" in block
    )
    assert len(steps) + 1 < 10, "git clone is one of them"
    (document,) = (step.command for step in steps if "<<'END'" in step.command)
    path = tmp_path / "nymproxy.toml"
    path.write_text(document.partition("\n")[2].removesuffix("END"))
    (server,) = load(path, {}, {}).servers
    assert server.settings.config_dir == str(tmp_path / "keys")
