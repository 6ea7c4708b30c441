"""The vector files of the tests, made anew by the published crates, and tested at once."""

from __future__ import annotations

import os
import shutil
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
    "tests/storage/test_encrypted_keys.py",
)
"""The tests that read the files through ``tests.vectors.files``."""

NEXT = "2.0.0"
"""The folder of what the crates of that version make, beside the files of 1.21.6."""

ONLY_NEXT = ("sphinx_260.json", "lp_frames.json", "encrypted_keys.json")
ONLY_SDK = ("apis.json",)
"""What 1.21.6 has not; and what needs nym-sdk, whose version 2.0.0 is not published."""


def renew_vectors(peers: Path, directory: Path, seed: int) -> bool:
    """Make all vector files in ``directory``, twice; tell whether the tests pass on both sets.

    The files of 1.21.6 come into ``directory`` itself, those of 2.0.0 into a folder in it. What
    only one of them can make is copied to the other, so that each set is whole. Another seed draws
    other keys, messages and malformed bytes.

    Raises:
        ProgramMissing: a generator failed; what it said is on standard error.
    """
    directory = directory.resolve()
    newer = directory / NEXT
    try:
        _make(seed, peers, "vectors", directory)
        _make(seed, build_next(), newer)
        for name in ONLY_NEXT:
            shutil.copy(newer / name, directory)
        for name in ONLY_SDK:
            shutil.copy(directory / name, newer)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ProgramMissing(f"making vectors failed: {error}") from error
    # Not `all` of a generator: the second set is tested whatever the first one says.
    return all([_test(directory), _test(newer)])


def _make(seed: int, *command: str | Path) -> None:
    # What the crates log about malformed input is what the files are to have.
    quiet = {**os.environ, "RUST_LOG": "off"}
    subprocess.run([*map(str, command), "--seed", str(seed)], env=quiet, check=True)


def _test(directory: Path) -> bool:
    sys.stderr.write(f"\nthe tests on {directory}:\n")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *TESTS],
        cwd=INTEROP.parent,
        env={**os.environ, VECTORS_VARIABLE: str(directory)},
        check=False,
    )
    return tested.returncode == 0
