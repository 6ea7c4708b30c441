"""Standard output whose reader is gone."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
from nymproxy._standard_streams import discard_output
print("before", flush=True)
discard_output()
print("after", flush=True)
"""


def test_what_is_discarded_goes_nowhere_and_fails_nothing() -> None:
    run = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, check=True)
    assert run.stdout.split() == [b"before"]
