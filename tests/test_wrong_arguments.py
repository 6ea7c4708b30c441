"""A thing of no kind that fits, for each argument of what users call: refused as a wrong use.

Nothing listens where the network should be, so whoever does not look at an argument first fails
with another error, or with none.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from nymproxy import (
    ClientGroup,
    ClientPool,
    ConnectionOptions,
    DirectoryClient,
    LegacySettings,
    MemoryAccount,
    NetworkDetails,
    NodeIdentity,
    NymAddress,
    NymProxyClient,
    NymProxyServer,
    SenderTag,
    UsageError,
    nym_address_of,
    preview_start,
)
from nymproxy._arguments import check_number, list_of, of_kind, path_of
from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.client.message_client import MessageClient
from tests.stream.nx2.builders import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOWHERE = NetworkDetails.from_directory_url("http://127.0.0.1:9")

# Objects with methods of their own, which users seldom make: what is missing shows when it is used.
PARTS = {
    "clock", "unix_time", "random_bytes", "memory", "watch", "watcher", "trace", "connector",
    "roster", "group", "backoff", "avoided", "ssl_context",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    call: Callable[..., Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    unlooked: frozenset[str] = frozenset()
    """Switches and times: any object is true, and a time shows when it is waited for."""


ENTRIES = {
    "NymAddress": Entry(NymAddress.parse),
    "NodeIdentity": Entry(NodeIdentity.parse),
    "SenderTag": Entry(SenderTag.parse),
    "SenderTag()": Entry(SenderTag),
    "NodeIdentity()": Entry(NodeIdentity),
    "nym_address_of": Entry(nym_address_of),
    "preview_start": Entry(preview_start),
    "NetworkDetails.of": Entry(NetworkDetails.of),
    "NetworkDetails.from_env_file": Entry(
        NetworkDetails.from_env_file, unlooked=frozenset({"environ"})
    ),
    "MemoryAccount": Entry(MemoryAccount),
    "ConnectionOptions": Entry(ConnectionOptions),
    "ClientPool": Entry(
        ClientPool,
        {"client_pool_reserve_number": 1, "connector": None},
        frozenset({"max_age_seconds"}),
    ),
    "LegacySettings": Entry(
        LegacySettings,
        unlooked=frozenset(inspect.signature(LegacySettings).parameters)
        - {"surbs_initial", "surbs_per_message", "pacing_seconds", "session_id_version"},
    ),
    "DirectoryClient": Entry(
        DirectoryClient,
        unlooked=frozenset(inspect.signature(DirectoryClient).parameters) - {"details", "options"},
    ),
    "MessageClient.connect": Entry(MessageClient.connect, {"network": NOWHERE}),
    "ClientGroup.connect": Entry(
        ClientGroup.connect, {"network": NOWHERE, "gateways": [None, None]}
    ),
    "NymProxyClient": Entry(
        NymProxyClient, {"server_address": ADDRESS, "network": NOWHERE}, frozenset({"env"})
    ),
    "NymProxyServer.create": Entry(
        NymProxyServer.create,
        {"upstream_address": "127.0.0.1:9", "config_dir": None, "network": NOWHERE, "gateways": 2},
        frozenset({"env"}),
    ),
}


def cases() -> Iterator[tuple[str, str]]:
    for name, entry in ENTRIES.items():
        for parameter in inspect.signature(entry.call).parameters:
            if parameter not in PARTS | entry.unlooked:
                yield name, parameter


async def call(entry: Entry, parameter: str) -> None:
    made = entry.call(**{**entry.arguments, parameter: object()})
    if inspect.isawaitable(made):
        await made


@pytest.mark.parametrize(("name", "parameter"), list(cases()))
async def test_each_argument_is_looked_at_first(name: str, parameter: str) -> None:
    with pytest.raises(UsageError, match=r"object|mode|TCP port"):
        await call(ENTRIES[name], parameter)


def test_what_fits_is_returned() -> None:
    assert of_kind("text", str, "text") == "text"
    assert list_of(iter(["a", "b"]), "texts") == ("a", "b")
    assert str(path_of("here")) == "here"
    check_number(1, "a number", least=1, whole=True)


@pytest.mark.parametrize("value", [0.5, float("nan"), -1, "2", 1 << 63])
def test_numbers_that_will_not_do(value: object) -> None:
    with pytest.raises(ConfigurationError, match="a number is "):
        check_number(value, "a number", least=1)
