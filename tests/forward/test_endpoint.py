"""Where to listen and where to connect, in text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nymproxy.errors import ConfigurationError
from nymproxy.forward.endpoint import (
    InheritedEndpoint,
    TcpEndpoint,
    UnixEndpoint,
    parse_endpoint,
    parse_listen,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8080", TcpEndpoint("127.0.0.1", 8080)),
        ("[::1]:8080", TcpEndpoint("::1", 8080)),
        ("unix:/run/x.sock", UnixEndpoint("/run/x.sock")),
        ("fd:ssh", InheritedEndpoint("ssh")),
    ],
)
def test_each_form_reads_and_writes_the_same(text: str, endpoint: object) -> None:
    assert parse_listen(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize("text", ["", "8080", "unix:", "fd:", "::1:80", "host:70000"])
def test_what_is_none_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(ConfigurationError, match="unix:PATH or fd:NAME"):
        parse_listen(text)


def test_nobody_connects_to_an_inherited_socket() -> None:
    assert parse_endpoint("unix:/x") == UnixEndpoint("/x")
    with pytest.raises(ConfigurationError):
        parse_endpoint("fd:ssh")


@pytest.mark.parametrize("parse", [parse_endpoint, parse_listen])
def test_a_number_is_no_endpoint(parse: Callable[[Any], object]) -> None:
    with pytest.raises(ConfigurationError, match="this is int"):
        parse(22)
