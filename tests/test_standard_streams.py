"""Programs that are started with streams closed."""

from __future__ import annotations

import subprocess
import sys

from nymproxy._log_fields import ATTRIBUTE, fields

PROGRAM = """
import os, sys
from nymproxy._standard_streams import open_standard_streams
open_standard_streams()
first = os.open(os.devnull, os.O_RDONLY)
sys.stdout.write("lost")
sys.stdout.flush()
sys.exit(0 if first > 2 else 1)
"""


def test_closed_streams_lead_nowhere_and_their_numbers_are_taken() -> None:
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        command = f'exec "$0" -c "$1" {closed}'
        done = subprocess.run(
            ["sh", "-c", command, sys.executable, PROGRAM], stderr=subprocess.DEVNULL, check=False
        )
        assert done.returncode == 0, closed


def test_fields_go_with_a_record_under_one_name() -> None:
    assert fields("gone", seconds=2) == {ATTRIBUTE: {"event": "gone", "seconds": 2}}


DISCARDING = """
from nymproxy._standard_streams import discard_output
print("before", flush=True)
discard_output()
print("after", flush=True)
"""


def test_what_is_discarded_goes_nowhere_and_fails_nothing() -> None:
    run = subprocess.run([sys.executable, "-c", DISCARDING], capture_output=True, check=True)
    assert run.stdout.split() == [b"before"]
