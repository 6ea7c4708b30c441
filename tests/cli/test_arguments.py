"""Argument lists of the old binaries."""

from __future__ import annotations

import pytest

from nymproxy.cli.arguments import normalise
from nymproxy.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["client", "-s", "A"], ["client", "-s", "A"]),
        (["client", "-sA"], ["client", "-s", "A"]),
        (["client", "-s=A"], ["client", "-s", "A"]),
        (["client", "--server-address=A"], ["client", "--server-address=A"]),
        (["server", "-u=h:1", "-c", "-g"], ["server", "-u", "h:1", "-c", "-g"]),
        (["server", "-c=/a=b"], ["server", "-c", "/a=b"]),
        (["client", "-s", "-s"], ["client", "-s", "-s"]),
        (["client", "--", "-s=A", "-s=B"], ["client", "--", "-s=A", "-s=B"]),
        (["localnet", "-s=A", "-s=B"], ["localnet", "-s=A", "-s=B"]),
        ([], []),
    ],
)
def test_spellings(given: list[str], expected: list[str]) -> None:
    assert normalise(given) == expected


def test_servers_and_gateways_may_be_several() -> None:
    assert normalise(["client", "-sA", "--server-address=B"]) == [
        "client",
        "-s",
        "A",
        "--server-address=B",
    ]
    assert normalise(["server", "-g", "A", "-g=B"]) == ["server", "-g", "A", "-g", "B"]


@pytest.mark.parametrize(
    "given",
    [
        ["client", "-e", "A", "-e", "B"],
        ["client", "-e", "A", "--env-path", "B"],
        ["client", "-eA", "--env-path=B"],
        ["server", "--json", "-u", "h:1", "--json"],
    ],
)
def test_a_flag_given_twice_is_an_error(given: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="given twice"):
        normalise(given)
