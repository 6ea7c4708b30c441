"""Console blocks of the documentation, run as they stand by one shell.

In a block ``$`` starts a command, which may have a here-document, and the lines below are lines of
its output, in order; ``…`` in a line stands for anything. A command that ends with ``&`` is waited
for until it has printed them, or one, on standard output. ``# exit code N`` says how a command
ends, if not with 0; other comments are for the reader.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from nymproxy.testing.orphans import ends_with_us

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")
READY_SECONDS = 60

# Runs each command file in the shell itself, so that variables and jobs live on: in one folder. Of
# what ran in another, only the first job goes on, the network.
_SHELL = """
set -m
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
for number in $(seq "$COUNT"); do
    if [ -e "$RECORD/$number.folder" ]; then
        others=$(jobs -p | tail -n +2)
        [ -z "$others" ] || { kill $others; wait $others; }
        cd "$(cat "$RECORD/$number.folder")"
    fi
    if [ -e "$RECORD/$number.background" ]; then
        eval "$(cat "$RECORD/$number.command")" >"$RECORD/$number.output" 2>"$RECORD/$number.log"
        lines=$(cat "$RECORD/$number.background")
        for tenth in $(seq "$TENTHS"); do
            [ "$(grep -c . "$RECORD/$number.output")" -ge "$lines" ] && break
            sleep 0.1
        done
    else
        eval "$(cat "$RECORD/$number.command")" >"$RECORD/$number.output" 2>&1
    fi
    echo $? >"$RECORD/$number.code"
done
"""


@dataclass(slots=True)
class Step:
    """A command of a page and what the page says about it."""

    command: str
    exit_code: int = 0
    lines: list[str] = field(default_factory=list)
    folder: Path | None = None
    """Where it is run; None: where the one before was."""

    @property
    def ready_lines(self) -> int | None:
        """How many lines one that goes on prints before the next begins; None: it ends."""
        if not self.command.endswith("&"):
            return None
        return len(self.lines) or int(">" not in self.command)


def steps_of(block: str) -> list[Step]:
    """Return the commands of a block."""
    steps: list[Step] = []
    here_document = ""
    for line in block.splitlines():
        if here_document:
            steps[-1].command += f"\n{line}"
            here_document = "" if line == here_document else here_document
        elif line.startswith("$ "):
            code = EXIT_CODE.search(line)
            command = re.sub(r"\s+# .*$", "", line.removeprefix("$ "))
            steps.append(Step(command, int(code[1]) if code else 0))
            here_document = "".join(re.findall(r"<<'(\w+)'$", command))
        else:
            steps[-1].lines.append(line)
    return steps


def run(
    steps: Sequence[Step],
    start: Path,
    record: Path,
    environment: Mapping[str, str],
    seconds: float,
    programs: Path | None = None,
) -> None:
    """Run commands one after another, and see to it that each does what the page says.

    Args:
        steps: the commands.
        start: the folder where the first is run.
        record: a new folder for what they print.
        environment: beside that of the tests.
        seconds: how long all of it may take.
        programs: a folder of programs that stand in for those of this machine.
    """
    record.mkdir()
    for number, step in enumerate(steps, start=1):
        (record / f"{number}.command").write_text(step.command)
        if step.ready_lines is not None:
            (record / f"{number}.background").write_text(str(step.ready_lines))
        if step.folder is not None:
            (record / f"{number}.folder").write_text(str(step.folder))
    paths = [str(programs or ""), os.path.dirname(sys.executable)]
    shell = subprocess.Popen(
        ["bash", "-c", _SHELL],
        cwd=start,
        env={
            **os.environ,
            "PATH": os.pathsep.join([*filter(None, paths), os.environ.get("PATH", "")]),
            "RECORD": str(record),
            "COUNT": str(len(steps)),
            "TENTHS": str(READY_SECONDS * 10),
            **environment,
        },
        start_new_session=True,
    )
    try:
        with ends_with_us(shell.pid):
            shell.wait(timeout=seconds)
    except BaseException:
        for each in [*psutil.Process(shell.pid).children(recursive=True), shell]:
            each.kill()
        shell.wait()
        raise
    for number, step in enumerate(steps, start=1):
        output = (record / f"{number}.output").read_text()
        code = int((record / f"{number}.code").read_text())
        assert code == step.exit_code, f"{step.command}: exit code {code}\n{output}"
        assert output.count("\n") >= (step.ready_lines or 0), f"{step.command}: not ready\n{output}"
        missing = missing_line(step.lines, output)
        assert missing is None, f"{step.command}: no line {missing!r} in\n{output}"


def missing_line(lines: Sequence[str], output: str) -> str | None:
    """Return the first expected line that the output does not have behind the ones before."""
    shown = iter(output.splitlines())
    for line in lines:
        pattern = ".*".join(map(re.escape, line.split("…")))
        if not any(re.fullmatch(pattern, each) for each in shown):
            return line
    return None
