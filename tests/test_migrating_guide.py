"""The guide's commands, run in their order by one shell, in a copy of the example deployment.

In its console blocks ``$`` starts a command, and the lines below are lines of its output, in
order; ``…`` in a line stands for anything. A command that ends with ``&`` is waited for until it
has printed them. ``# exit code N`` says how a command ends, if not with 0.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "migrating.md"
EXAMPLE = ROOT / "migrate" / "nymproxy_migrate" / "demo" / "deployment"
EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")
READY_SECONDS = 30

# Runs each command file in the shell itself, so that variables and jobs live on.
_SHELL = """
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
for number in $(seq "$COUNT"); do
    if [ -e "$RECORD/$number.background" ]; then
        eval "$(cat "$RECORD/$number.command")" >"$RECORD/$number.output" 2>&1
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
    """A command of the guide and what the guide says about it."""

    command: str
    exit_code: int = 0
    lines: list[str] = field(default_factory=list)


def _blocks(language: str) -> list[str]:
    tokens = MarkdownIt().parse(GUIDE.read_text())
    return [token.content for token in tokens if token.type == "fence" and token.info == language]


def _steps() -> list[Step]:
    steps: list[Step] = []
    for block in _blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                code = EXIT_CODE.search(line)
                command = EXIT_CODE.sub("", line.removeprefix("$ "))
                steps.append(Step(command, int(code[1]) if code else 0))
            else:
                steps[-1].lines.append(line)
    return steps


def _run(steps: list[Step], tree: Path, record: Path) -> None:
    record.mkdir()
    for number, step in enumerate(steps, start=1):
        (record / f"{number}.command").write_text(step.command)
        if step.command.endswith("&"):
            (record / f"{number}.background").write_text(str(len(step.lines)))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "RECORD": str(record),
        "XDG_STATE_HOME": str(record / "state"),
        "COUNT": str(len(steps)),
        "TENTHS": str(READY_SECONDS * 10),
        "RUST_LOG": "off",
    }
    shell = subprocess.Popen(
        ["bash", "-c", _SHELL], cwd=tree, env=environment, start_new_session=True
    )
    try:
        shell.wait(timeout=200)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)  # with what it has started
        shell.wait()
        raise


def _missing_line(lines: list[str], output: str) -> str | None:
    """Return the first expected line that the output does not have behind the ones before."""
    shown = iter(output.splitlines())
    for line in lines:
        pattern = ".*".join(map(re.escape, line.split("…")))
        if not any(re.fullmatch(pattern, each) for each in shown):
            return line
    return None


@pytest.mark.slow
@pytest.mark.timeout(240)  # a minute at worst on an idle machine
@pytest.mark.skipif(shutil.which("bash") is None, reason="the guide's commands are for bash")
def test_every_command_does_what_the_guide_says(tmp_path: Path) -> None:
    tree, record = tmp_path / "deployment", tmp_path / "record"
    shutil.copytree(EXAMPLE, tree)
    (configuration,) = _blocks("toml")
    (tree / "nymproxy.toml").write_text(configuration)
    steps = _steps()
    assert len(steps) > 10
    _run(steps, tree, record)
    for number, step in enumerate(steps, start=1):
        output = (record / f"{number}.output").read_text()
        code = int((record / f"{number}.code").read_text())
        assert code == step.exit_code, f"{step.command}: exit code {code}\n{output}"
        missing = _missing_line(step.lines, output)
        assert missing is None, f"{step.command}: no line {missing!r} in\n{output}"


def test_python_blocks_compile() -> None:
    blocks = _blocks("python")
    assert blocks
    for block in blocks:
        compile(block, str(GUIDE), "exec")


def test_the_extra_that_it_installs_is_there() -> None:
    named = set(re.findall(r"nymproxy\[(\w+)\]", GUIDE.read_text()))
    assert named <= set(metadata.metadata("nymproxy").get_all("Provides-Extra", []))


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (["a", "c…"], None),
        (["b", "a"], "a"),
        (["b.d"], "b.d"),
        (["…bc…"], "…bc…"),
    ],
)
def test_lines_are_looked_for_in_order(lines: list[str], missing: str | None) -> None:
    assert _missing_line(lines, "a\nb\ncd\n") == missing
