"""The old module's examples, in their Python form, do what they say on the embedded mixnet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.mark.parametrize(
    ("name", "last_lines"),
    [
        ("single_connection.py", {":: messages received back: 10/10"}),
        ("multistream.py", {f"<< conn {number} received 4/4" for number in range(4)}),
    ],
)
def test_every_message_comes_back(name: str, last_lines: set[str]) -> None:
    finished = subprocess.run(
        [sys.executable, str(EXAMPLES / name), "--pause", "0.02"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert last_lines <= set(finished.stdout.splitlines())
