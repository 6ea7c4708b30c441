"""Env files whose network is another one than they say."""

from __future__ import annotations

import pytest

from nymproxy_migrate.model import Action, Kind
from tests.migrate.tools import codes, findings, source

LOCAL = """
# The network here.
NETWORK_NAME=local
NYXD=http://127.0.0.1:26657
NYM_API=http://127.0.0.1:8000/api/
NYM_APIS='[{"url":"http://127.0.0.1:8000/api/","front_hosts":null}]'
NYM_VPN_APIS='[]'
"""


@pytest.mark.parametrize(
    "text",
    [
        LOCAL,
        "NYM_API=http://127.0.0.1:8000/api/\nNYM_APIS=\n",
        "NYM_API=http://127.0.0.1:8000/api/\nNYM_APIS=[]\n",
        "API_KEY=x y z\nURL=[not json\n",
        'PATH="unclosed\n',
    ],
)
def test_files_without_a_trap(text: str) -> None:
    assert codes("local.env", text) == []


@pytest.mark.parametrize("path", ["a/.env", "local.env", ".env.prod", "env.local", "x.env.bak"])
@pytest.mark.parametrize("key", ["NYM_API", "API_VALIDATOR"])
def test_a_directory_that_the_old_programs_ignore(path: str, key: str) -> None:
    text = f"NETWORK_NAME=local\n{key}=http://127.0.0.1:8000/api/\n"
    (found,) = findings(path, text)
    assert (found.code, found.kind, found.action) == ("NYM040", Kind.ENV_FILE, Action.REPORT)
    assert source(path, text).position(found.span.start) == (2, 1)
    assert "mainnet" in found.message
    assert found.needs_human
    assert found.edits == ()


def test_json_without_quotes() -> None:
    text = "NYXD=http://127.0.0.1:1\n" + 'export NYM_APIS=[{"url":"http://127.0.0.1:8000/api/"}]\n'
    (found,) = findings("local.env", text)
    assert found.code == "NYM041"
    assert found.span.of(text.encode()) == b"NYM_APIS"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("NYXD=http://a\nNYM_API=http://127.0.0.1/ and more\n", 2),
        ("NYXD=http://a\n\nNYM_API='unclosed", 3),
        ("NYM_API=http://a\nno assignment\n", 2),
        ("NYM_API=http://a\nNYM_APIS='{'\n", 1),
    ],
)
def test_a_malformed_file(text: str, line: int) -> None:
    (found,) = findings("local.env", text)
    assert found.code == "NYM042"
    assert source("local.env", text).position(found.span.start)[0] == line


def test_a_file_that_is_not_utf_8() -> None:
    assert codes("local.env", "NYM_API=http://ä\n".encode("latin-1")) == ["NYM042"]


def test_configured_in_a_file_for_env_path_is_usual() -> None:
    found = findings("local.env", "CONFIGURED=true\n" + LOCAL)
    assert [(one.code, one.action) for one in found] == [("NYM043", Action.INFO)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.sh", "export CONFIGURED=1\nnymproxy client -s A\n"),
        ("a.service", "[Service]\nEnvironment=CONFIGURED=1\nExecStart=/usr/bin/nymproxy client\n"),
        (
            "compose.yml",
            "services:\n  a:\n    command: nymproxy client -s A\n    environment:\n"
            "      CONFIGURED: '1'\n",
        ),
        (
            "compose.yml",
            "services:\n  a:\n    command: nymproxy client -s A\n    environment:\n"
            "      - CONFIGURED=1\n",
        ),
    ],
)
def test_configured_in_the_environment_of_a_proxy(path: str, text: str) -> None:
    assert codes(path, text) == ["NYM043"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.sh", "export CONFIGURED=1\n./configure\n"),
        ("a.sh", "# CONFIGURED=1\nnymproxy client -s A\n"),
        ("a.py", "CONFIGURED = 1\n"),
        ("README.md", "NYM_API=http://127.0.0.1:8000/api/\n"),
        ("a.sh", "NYM_API=http://127.0.0.1:8000/api/\n"),
    ],
)
def test_other_files(path: str, text: str) -> None:
    assert codes(path, text) == []
