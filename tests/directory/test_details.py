"""nymproxy.mixnet.directory.details: where a network's directory is."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.directory.details import MAINNET, ApiUrl, NetworkDetails

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = "http://127.0.0.1:8000/api/"


def test_mainnet_is_the_default() -> None:
    assert NetworkDetails.mainnet() is MAINNET
    assert NetworkDetails.from_env_file(None, {}) == MAINNET
    assert all(api.url.startswith("https://") for api in MAINNET.nym_api_urls)


def test_a_directory_alone_describes_a_network() -> None:
    details = NetworkDetails.from_directory_url(LOCAL)
    assert details.nym_api_urls == (ApiUrl(LOCAL),)
    assert details.network_name == "custom"


def test_a_network_without_a_directory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        NetworkDetails("empty", (), "")


def test_warnings_of_a_file_are_logged_and_those_of_a_text_returned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"NYM_API={LOCAL}\n"  # the Rust programs go to mainnet with this alone
    path = tmp_path / "local.env"
    path.write_text(text)
    with caplog.at_level(logging.WARNING, "nymproxy"):
        (warning,) = NetworkDetails.from_env_text(text, {}).warnings
        assert caplog.messages == []
        assert NetworkDetails.from_env_file(path, {}).nym_api_urls == (ApiUrl(LOCAL),)
    assert warning.code == "nym-api-shadowed"
    assert caplog.messages == [warning.message]


def test_the_environment_wins_over_the_file_and_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "local.env"
    path.write_text(f"NYM_API={LOCAL}\n")
    other = "http://127.0.0.1:9000/api/"
    monkeypatch.setenv("NYM_API", other)
    before = dict(os.environ)
    assert NetworkDetails.from_env_file(path).nym_api_urls[0].url == other
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "cannot be read: No such file"), (b"\xff", "not UTF-8")]
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "some.env"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint):
        NetworkDetails.from_env_file(path, {})


def test_no_more_than_a_mebibyte_of_a_file_is_read(tmp_path: Path) -> None:
    """Whatever is named as the file, /dev/zero included, is not read for ever."""
    path = tmp_path / "some.env"
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="larger than 1048576 bytes"):
        NetworkDetails.from_env_file(path, {})
    path.write_bytes(b"NYM_API=https://example.org\n".ljust(1024 * 1024, b"\n"))
    assert NetworkDetails.from_env_file(path, {}).nym_api_urls == (ApiUrl("https://example.org/"),)


@pytest.mark.parametrize(
    ("name", "url", "expected"),
    [
        ("localnet", "http://127.0.0.1:1/api", True),
        ("localnet", "http://[::1]:1/api", True),
        ("localnet", "http://127.0.0.1.example/api", False),
        ("localnet", "http://203.0.113.1/api", False),
        ("localnet", "http://localhost/api", False),
        ("mainnet", "http://127.0.0.1:1/api", False),
        ("localnet", "http://[::1", False),
    ],
)
def test_a_name_alone_makes_no_localnet(name: str, url: str, expected: bool) -> None:
    assert NetworkDetails(name, (ApiUrl(url),), "").is_localnet is expected


def test_a_network_may_be_given_by_the_path_of_its_env_file(tmp_path: Path) -> None:
    path = tmp_path / "local.env"
    path.write_text(f'NYM_APIS=\'[{{"url": "{LOCAL}"}}]\'\n')
    details = NetworkDetails.of(path)
    assert details.nym_api_urls == (ApiUrl(LOCAL),)
    assert NetworkDetails.of(str(path)) == details
    assert NetworkDetails.of(details) is details
    assert NetworkDetails.of(None) == NetworkDetails.from_env_file(None)
    with pytest.raises(ConfigurationError, match="this is int"):
        NetworkDetails.of(5)  # type: ignore[arg-type]
