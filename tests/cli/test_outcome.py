"""One line and an exit code for every error."""

from __future__ import annotations

import errno

import pytest

from nymproxy.cli.outcome import Explained, explain
from nymproxy.errors import AddressError, GatewayUnreachable, StorageLocked


def test_the_purposeful_error_in_a_group_counts() -> None:
    group = ExceptionGroup("tasks", [ValueError("x"), ExceptionGroup("", [AddressError("bad")])])
    assert explain(group) == Explained("bad [address]", "address", 2)


@pytest.mark.parametrize(
    ("error", "code"),
    [(GatewayUnreachable("x"), 1), (StorageLocked("x"), 2), (AddressError("x"), 2)],
)
def test_exit_codes(error: Exception, code: int) -> None:
    explained = explain(error)
    assert explained is not None
    assert explained.exit_code == code


def test_a_taken_port_says_what_to_do() -> None:
    explained = explain(OSError(errno.EADDRINUSE, "Address already in use"))
    assert explained is not None
    assert "--listen-port 0" in explained.line


def test_a_missing_file_is_named() -> None:
    assert explain(FileNotFoundError(errno.ENOENT, "No such file", "/x/y")) == Explained(
        "/x/y: No such file", "system", 2
    )


def test_bugs_are_not_explained_away() -> None:
    assert explain(KeyError("x")) is None
