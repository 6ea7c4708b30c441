"""The program as a process: what reads its arguments is not kept by what they ask for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nymproxy.cli.app import read
from nymproxy.cli.outcome import WrongUsage

ROOT = Path(__file__).resolve().parent.parent.parent
ADDRESS = (
    "5tC8M4WWhFaDFvRVvwoL49H9tmSHMCSdW2jk3BwnLJbw.AX8TS5qL2NNWQCg64WnsLCQE8R5wCCrF8wRp4DhQ8oCN"
    "@BrxmeCEhMzZistPoBpSJnCr2oq3TWAmCGnW9omS8JZrR"
)
FILE = f'[[client]]\nname = "one"\nlisten = "127.0.0.1:0"\nserver = "{ADDRESS}"\n'

# What runs for long begins with this call.
PROBE = """
import json, sys
import anyio

def look(*_arguments):
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))

anyio.run = look
from nymproxy.cli import main
sys.exit(main())
"""
HEAVY = {
    *("typer", "pydantic", "pydantic_core", "rich", "httpx", "httpcore", "jsonschema", "trio"),
    *("getpass", "prometheus_client", "uvloop"),
}
OF_STORAGE = {"sqlite3"}
OF_HARDLY_ANY_START = {"filelock", "tempfile", "shutil", "lzma", "bz2"}
"""Of a server whose directory a Rust client has left, or whose database is read."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["client", "-s", ADDRESS, "--listen-port", "0"],
        ["server", "-u", "127.0.0.1:9", "-c", "DIR"],
        ["run", "-c", "FILE"],
    ],
    ids=["client", "server", "run"],
)
def test_what_runs_for_long_has_not_loaded_the_parser(arguments: list[str], tmp_path: Path) -> None:
    places = {"DIR": tmp_path / "keys", "FILE": tmp_path / "file.toml"}
    places["FILE"].write_text(FILE)
    words = [str(places.get(word, word)) for word in arguments]
    finished = subprocess.run(
        [sys.executable, "-c", PROBE, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    loaded = set(json.loads(finished.stdout))
    assert loaded.isdisjoint(HEAVY)
    if "coverage" not in loaded:  # which has a database of its own, and much else
        assert loaded.isdisjoint(OF_HARDLY_ANY_START)
        assert arguments[0] != "client" or loaded.isdisjoint(OF_STORAGE)


@pytest.mark.parametrize(
    ("arguments", "code", "out", "error"),
    [
        (["client", "--bad"], 2, "", "No such option: --bad. See nymproxy client --help\n"),
        (["server", "-u", "h:1", "-u", "h:2"], 2, "", "--upstream-tcp-address is given twice"),
        (["server", "--help"], 0, "Usage: nymproxy server [OPTIONS]\n", ""),
        (["run", "-c", "missing.toml"], 2, "", "missing.toml"),
    ],
)
def test_what_cannot_be_read_is_said_once(
    arguments: list[str], code: int, out: str, error: str
) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "nymproxy", *arguments], capture_output=True, text=True, check=False
    )
    assert finished.returncode == code
    assert finished.stdout.startswith(out)
    assert bool(finished.stdout) == bool(out)
    assert error in finished.stderr
    assert finished.stderr.count("\n") == bool(error)


@pytest.mark.parametrize(
    ("flag", "value", "sentence"),
    [
        ("--listen-port", "abc", "'abc' is no whole number"),
        ("--listen-port", "70000", "'70000' is above 65535"),
        ("--connect-timeout", "-1", "'-1' is below 0"),
        ("--connect-timeout", "soon", "'soon' is no number"),
        ("--wire", "tin", "'tin' is not one of 'auto', 'legacy', 'stream'"),
    ],
)
def test_a_value_that_is_none_is_shown_in_one_sentence(
    flag: str, value: str, sentence: str
) -> None:
    with pytest.raises(WrongUsage) as caught:
        read(["client", "-s", "x", flag, value])
    expected = f"Invalid value for '{flag}': {sentence}. See nymproxy client --help"
    assert str(caught.value) == expected
