"""``-L``: forwards as ssh writes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nymproxy.cli.choices import IdentityMode
from nymproxy.cli.client import forwards_of, parse_forward, plan_of
from nymproxy.cli.inputs import Inputs
from nymproxy.cli.settings import ClientSettings
from nymproxy.errors import ConfigurationError
from nymproxy.memory_account import MemoryAccount
from nymproxy.operating.groups import IdentityGroups


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


def test_only_what_is_shared_can_be_shared_in_a_group() -> None:
    settings = ClientSettings(server_address=["A"], identity_group="web")
    with pytest.raises(ConfigurationError, match="only forwards with the identity 'shared'"):
        plan_of(settings, "one", MemoryAccount(), IdentityGroups(), Inputs())
    settings = replace(settings, identity_mode=IdentityMode.SHARED, env_path=None)
    groups = IdentityGroups()
    first = plan_of(settings, "one", MemoryAccount(), groups, Inputs())
    second = plan_of(replace(settings, max_connections=3), "two", MemoryAccount(), groups, Inputs())
    third = plan_of(replace(settings, copies=0), "three", MemoryAccount(), groups, Inputs())
    assert first.roster is second.roster is not None
    assert third.roster is not first.roster


def test_without_one_there_is_a_single_forward_by_its_flags() -> None:
    settings = ClientSettings(server_address=["A"])
    assert forwards_of(settings) == {"client": settings}
