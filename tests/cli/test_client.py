"""``-L``: forwards as ssh writes them."""

from __future__ import annotations

import pytest

from nymproxy.cli.client import forwards_of, parse_forward
from nymproxy.cli.settings import ClientSettings
from nymproxy.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "listen", "address"),
    [
        ("8080:A.b@c", "127.0.0.1:8080", "A.b@c"),
        ("0.0.0.0:8080:A.b@c", "0.0.0.0:8080", "A.b@c"),
        ("[::1]:8080:A.b@c", "[::1]:8080", "A.b@c"),
    ],
)
def test_forms(text: str, listen: str, address: str) -> None:
    assert parse_forward(text, "127.0.0.1") == (listen, address)


@pytest.mark.parametrize("text", ["A.b@c", "", ":A", "80800:A", "x:y:z:A"])
def test_what_is_none_says_how_it_is_written(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write \[HOST:\]PORT:ADDRESS"):
        parse_forward(text, "127.0.0.1")


def test_each_is_a_forward_of_its_own() -> None:
    forwards = forwards_of(ClientSettings(forward=["1:A", "2:B"], max_connections=7))
    assert list(forwards) == ["client-127.0.0.1:1", "client-127.0.0.1:2"]
    first, second = forwards.values()
    assert (first.server_address, second.server_address) == (["A"], ["B"])
    assert second.listen == "127.0.0.1:2"
    assert first.max_connections == 7


def test_without_one_there_is_a_single_forward_by_its_flags() -> None:
    settings = ClientSettings(server_address=["A"])
    assert forwards_of(settings) == {"client": settings}
