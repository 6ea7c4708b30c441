"""A directory that is never quite too late."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import anyio
import pytest

from nymproxy.errors import DirectoryUnavailable
from nymproxy.mixnet.directory import ApiUrl, NetworkDetails
from nymproxy.mixnet.directory.client import DirectoryClient
from nymproxy.mixnet.directory.http_session import HttpSession
from tests.directory.network import Network, node
from tests.legacy.virtual_time import anyio_backend

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

__all__ = ["anyio_backend"]

SLOW, GOOD = "http://slow.example", "http://good.example"


async def answer(url: str, parse: Callable[[bytes], T]) -> T:
    """The slow one announces ten thousand nodes, and sends one a page, each at the last moment."""
    network = Network()
    body = network.body(urlsplit(url).path)
    if url.startswith(SLOW):
        await anyio.sleep(29)
        if "nodes" in body:
            body = network.page([node(1)], total=10_000)
    return parse(json.dumps(body).encode())


async def test_a_directory_has_its_time_for_all_pages_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It had half a minute for each of a thousand pages: for eight hours nobody else was asked."""
    monkeypatch.setattr(HttpSession, "get", lambda _, url, parse: answer(url, parse))
    details = NetworkDetails("test", (ApiUrl(SLOW), ApiUrl(GOOD)), "")
    began = anyio.current_time()
    topology = await DirectoryClient(details).fetch_topology()
    assert topology.is_routable
    assert 60 < anyio.current_time() - began <= 120
    with pytest.raises(DirectoryUnavailable, match=r"slow\.example: not everything within 120 s"):
        await DirectoryClient(NetworkDetails("test", (ApiUrl(SLOW),), "")).fetch_topology()
