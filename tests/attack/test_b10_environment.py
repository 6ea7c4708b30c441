"""B10: variables of the environment lead no connection astray, and a proxy leads all of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import pytest

from nymproxy.cli.connection import connection_options, warn_of_unused
from nymproxy.cli.inputs import Inputs
from nymproxy.cli.settings import ClientSettings
from nymproxy.connection_options import ConnectionOptions
from nymproxy.errors import ConfigurationError, DirectoryUnavailable
from nymproxy.localnet import Localnet, LocalnetConfig
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.directory import NetworkDetails
from tests.proxy_servers import http_proxy, socks5_proxy

if TYPE_CHECKING:
    from pathlib import Path

PROXY_NAMES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


@pytest.fixture
def anyio_backend() -> str:
    """One is enough here: what dials is tested on both."""
    return "asyncio"


async def send_to_ourselves(network: NetworkDetails, options: ConnectionOptions) -> None:
    with anyio.fail_after(30):
        async with await MessageClient.connect(network, profile="bare", options=options) as client:
            await client.send(client.address, b"to myself")
            assert (await anext(client.receive())).payload == b"to myself"


async def test_directory_and_gateway_go_the_way_that_they_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with (
        Localnet(LocalnetConfig(seed=10)) as localnet,
        http_proxy() as trap,
        http_proxy() as http,
        socks5_proxy() as socks5,
    ):
        for name in PROXY_NAMES:
            monkeypatch.setenv(name, trap.url)
            monkeypatch.setenv(name.lower(), trap.url)
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
        network = NetworkDetails.from_directory_url(localnet.directory_url)
        await send_to_ourselves(network, ConnectionOptions())
        ports = {urlsplit(info.url).port for info in localnet.gateways}
        for proxy in (http, socks5):
            await send_to_ourselves(network, ConnectionOptions(proxy=proxy.url))
            asked = {port for _, port in proxy.asked}
            assert asked & ports, "the gateway"
            assert asked - ports, "the directory"
        assert trap.asked == []


async def test_what_the_proxy_says_is_said_of_the_proxy() -> None:
    async with http_proxy(status="403 no") as proxy:
        network = NetworkDetails.from_directory_url("http://directory.example/api")
        with pytest.raises(DirectoryUnavailable, match=r"the proxy http://127.* \(code 403\)"):
            await MessageClient.connect(network, options=ConnectionOptions(proxy=proxy.url))


@pytest.mark.parametrize("name", [*PROXY_NAMES, "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_variable_that_is_not_used_is_named_with_the_flag_that_is(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "nymproxy.cli"):
        environ = {name: "http://user:secret@h:1", "HOME": "/"}
        warn_of_unused(environ, has_proxy=False, has_trust=False)
    settings = ClientSettings(server_address=["x"])
    assert connection_options(settings, Inputs()) == ConnectionOptions()
    (record,) = caplog.records
    flag = "--ca-file" if name.startswith("SSL") else "--proxy"
    assert name in record.getMessage()
    assert flag in record.getMessage()
    assert "secret" not in caplog.text


def test_variables_of_one_kind_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "nymproxy.cli"):
        environ = {"SSL_CERT_FILE": "/a", "SSL_CERT_DIR": "/b"}
        warn_of_unused(environ, has_proxy=False, has_trust=False)
    (record,) = caplog.records
    assert "SSL_CERT_FILE, SSL_CERT_DIR; name the file with --ca-file" in record.getMessage()


@pytest.mark.parametrize(
    ("proxy", "environ", "named"),
    [
        (None, {}, []),
        (None, {"ALL_PROXY": ""}, []),
        (None, {"NO_PROXY": "*"}, []),
        ("socks5://h:1", {"ALL_PROXY": "http://h:2"}, []),
        ("socks5://h:1", {"NO_PROXY": "h"}, ["NO_PROXY"]),
    ],
)
def test_no_other_variable_is_warned_of(
    proxy: str | None,
    environ: dict[str, str],
    named: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "nymproxy.cli"):
        warn_of_unused(environ, has_proxy=proxy is not None, has_trust=False)
    settings = ClientSettings(server_address=["x"], proxy=proxy)
    assert connection_options(settings, Inputs()).proxy == proxy
    assert [record.getMessage().split()[0] for record in caplog.records] == named


def test_certificates_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    for content in (None, b"", b"no certificate"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="--ca-file"):
            connection_options(ClientSettings(server_address=["x"], ca_file=path), Inputs())
