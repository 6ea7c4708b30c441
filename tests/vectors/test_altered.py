"""The vector tests hold on files of the same schemas that they have not seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vectors.altered import write_altered

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    "tests/vectors/test_apis_stream.py",
    "tests/vectors/test_gateway.py",
    "tests/gateway/test_recorded.py",
    "tests/localnet/test_gateway_recorded.py",
]


@pytest.mark.timeout(300)
def test_the_vector_tests_hold_on_altered_files(tmp_path: Path) -> None:
    write_altered(tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *MODULES]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NYMPROXY_VECTORS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    assert " skipped" not in run.stdout
