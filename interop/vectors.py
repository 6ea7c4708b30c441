"""The vector files of the tests, made anew by the published crates, and tested at once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from interop.programs import INTEROP, ProgramMissing, build_next

if TYPE_CHECKING:
    from pathlib import Path

VECTORS_VARIABLE = "NYMPROXY_VECTORS"
TESTS = (
    "tests/vectors",
    "tests/gateway/test_recorded.py",
    "tests/localnet/test_gateway_admission.py",
    "tests/localnet/test_gateway_recorded.py",
)
"""The tests that read the files through ``tests.vectors.files``."""


def renew_vectors(peers: Path, directory: Path, seed: int) -> bool:
    """Make all vector files in ``directory``; tell whether the tests pass on them.

    Another seed draws other keys, messages and malformed bytes.

    Raises:
        ProgramMissing: the generator failed; what it said is on standard error.
    """
    directory = directory.resolve()
    try:
        # What the crates log about malformed input is what the files are to have.
        quiet = {**os.environ, "RUST_LOG": "off"}
        command = [str(peers), "vectors", str(directory), "--seed", str(seed)]
        subprocess.run(command, env=quiet, check=True)
        # What only crates of 2.0.0 have; they cannot be in one program with nym-sdk 1.21.6.
        command = [str(build_next()), str(directory), "--seed", str(seed)]
        subprocess.run(command, env=quiet, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ProgramMissing(f"making vectors failed: {error}") from error
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *TESTS],
        cwd=INTEROP.parent,
        env={**os.environ, VECTORS_VARIABLE: str(directory)},
        check=False,
    )
    return tested.returncode == 0
