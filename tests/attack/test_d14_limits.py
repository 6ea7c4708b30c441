"""D 14: nothing in a tree can stop, fill or crash the scan; each such thing is a finding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]
import pytest

from nymproxy_migrate.workers import limits
from tests.attack import hostile_trees
from tests.attack.hostile_trees import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.attack.figures import AttackFigures

HONEST = "honest.sh"
IN_DEFAULT = {"doubling_variables", "gitignore_pipe", "database_device"}
"""Beside those in one tree; each of the others takes seconds."""
START_UP_SECONDS = 5.0
"""Processor time of the tool and its workers before they read, and of all that is honest."""
LONGEST_SECONDS = 300.0
"""By the clock, which says nothing where much else runs: what counts is processor time."""


def watched(command: list[str], cwd: Path) -> tuple[int, str, float, int]:
    """Run a command; return code, output, processor time of all processes, most memory of one."""
    began = time.monotonic()
    with open(cwd.parent / "output", "w+") as output:
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd)
        most, used = 0, dict[int, float]()
        while process.poll() is None:
            try:
                for each in [process, *process.children(recursive=True)]:
                    most = max(most, each.memory_info().rss)
                    times = each.cpu_times()
                    used[each.pid] = times.user + times.system
            except psutil.Error:
                pass
            time.sleep(0.05)
            if time.monotonic() - began > LONGEST_SECONDS:
                process.kill()
        output.seek(0)
        text = output.read()
    return process.returncode, text, sum(used.values()), most


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "tree"
    root.mkdir()
    (root / HONEST).write_text("nym-proxy-client -s A\n")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield root
    # Python's own way recurses, and pytest would stumble over 1,500 folders when it tidies up.
    subprocess.run(["rm", "-rf", str(root)], check=True)


MIGRATE = [
    sys.executable,
    "-c",
    "import sys; from nymproxy_migrate.cli import main; sys.exit(main())",
]


@pytest.mark.timeout(LONGEST_SECONDS + 20)
def test_many_at_once(tree: Path, attack_figures: AttackFigures) -> None:
    for name in hostile_trees.IN_ONE_TREE:
        HOSTILE[name](tree)
    with attack_figures.attack(f"{len(hostile_trees.IN_ONE_TREE)} files and folders"):
        code, text, used, most = watched([*MIGRATE, "scan", "--json"], tree)
    notes = {"processor time": f"{used:.1f} s", "most memory": f"{most >> 20} MiB"}
    attack_figures.notes |= notes
    assert code == 1, text[-2000:]
    paths = {each["path"].split("/")[0] for each in json.loads(text)["findings"]}
    assert paths >= {path.name for path in tree.iterdir() if path.suffix != ".env"}
    assert most < limits.MEMORY_BYTES + (16 << 20)


@pytest.mark.timeout(LONGEST_SECONDS + 20)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in IN_DEFAULT else pytest.mark.exhaustive)
        for name in HOSTILE
    ],
)
def test_each_is_a_finding_and_the_rest_goes_on(
    tree: Path, name: str, attack_figures: AttackFigures
) -> None:
    HOSTILE[name](tree)
    with attack_figures.attack("one file or folder"):
        code, text, used, most = watched([*MIGRATE, "scan", "--json"], tree)
    notes = {"processor time": f"{used:.1f} s", "most memory": f"{most >> 20} MiB"}
    attack_figures.notes |= notes
    assert code == 1, text[-2000:]
    found: list[dict[str, Any]] = json.loads(text)["findings"]
    assert [each["code"] for each in found if each["path"] == HONEST] == ["NYM001"]
    about = {each["code"] for each in found if each["path"] != HONEST}
    assert about, "nothing is said"
    assert most < limits.MEMORY_BYTES + (16 << 20)
    assert used < limits.PROCESSOR_SECONDS + START_UP_SECONDS, notes


def test_an_ordinary_template_is_read_in_no_time(tree: Path) -> None:
    """23 s before, for 128 kB."""
    line = "listen {{ port }} on {{ host }} for the nym-proxy-client of {{ user }}\n"
    block = "{% if x %}\nnym-proxy-client -s {{ address }}\n{% endif %}\n"
    (tree / "large.sh.j2").write_text(line * 1500 + block * 300)
    code, text, used, _ = watched([*MIGRATE, "scan", "--json"], tree)
    assert code == 1
    found = [each for each in json.loads(text)["findings"] if each["path"] == "large.sh.j2"]
    assert len(found) == 300
    assert used < limits.PROCESSOR_SECONDS


def test_settings_of_the_tree(tree: Path) -> None:
    hostile_trees.settings_of_dotted_keys(tree)
    code, text, _, most = watched([*MIGRATE, "scan"], tree)
    assert code == 2
    assert "nymproxy-migrate.toml: " in text
    assert most < limits.MEMORY_BYTES + (16 << 20)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("database_device", "address"),
        ("database_pipe", "address"),
        ("recursive_view", "address"),
        pytest.param("recursive_view", "doctor", marks=pytest.mark.exhaustive),
    ],
)
def test_config_directories(tree: Path, name: str, command: str) -> None:
    HOSTILE[name](tree)
    if command == "address":
        nymproxy = "import sys; from nymproxy.cli import main; sys.exit(main())"
        arguments = [sys.executable, "-c", nymproxy, "address", "keys"]
    else:
        arguments = [*MIGRATE, "doctor", "-c", "keys", "-e", os.devnull, "--timeout", "20"]
    code, text, used, most = watched(arguments, tree)
    assert code in (1, 2), text
    assert "Traceback" not in text
    assert most < limits.MEMORY_BYTES
    assert used < limits.PROCESSOR_SECONDS + START_UP_SECONDS


def test_modules_of_the_tree_are_not_imported(tree: Path) -> None:
    """The workers are Python processes that start where the tool is used."""
    for name in ("json", "nymproxy_migrate", "pickle", "tree_sitter"):
        (tree / f"{name}.py").write_text("raise SystemExit(9)\n")
    program = [sys.executable, "-P", *MIGRATE[1:]]
    code, text, *_ = watched([*program, "scan", "--json"], tree)
    assert code == 1, text
