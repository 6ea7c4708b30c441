from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError
from nymproxy.mixnet.directory import (
    ApiUrl,
    NetworkDetails,
    read_env_file,
    read_env_file_leniently,
)

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = "http://127.0.0.1:8000/api/"
QUOTED = f"""NETWORK_NAME=local
NYXD=http://127.0.0.1:26657
NYM_APIS='[{{"url":"{LOCAL}","front_hosts":["a","b"]}}]'
"""
MAINNET = NetworkDetails.mainnet()


def urls(details: NetworkDetails) -> list[str]:
    return [api.url for api in details.nym_api_urls]


def codes(details: NetworkDetails) -> list[str]:
    return [warning.code for warning in details.warnings]


def test_a_correct_file() -> None:
    details = read_env_file(QUOTED, {})
    assert details == NetworkDetails(
        "local", (ApiUrl(LOCAL, ("a", "b")),), "http://127.0.0.1:26657"
    )
    assert read_env_file_leniently(QUOTED, {}) == details


def test_only_nym_api_means_mainnet_to_rust_and_that_url_to_us() -> None:
    text = f"NYM_API={LOCAL}\n"
    assert urls(read_env_file(text, {})) == urls(MAINNET)
    details = read_env_file_leniently(text, {})
    assert urls(details) == [LOCAL]
    assert codes(details) == ["nym-api-shadowed"]
    assert "NYM_APIS=" in details.warnings[0].message


def test_the_deprecated_name_counts_as_nym_api() -> None:
    text = f"API_VALIDATOR={LOCAL}\nNYM_APIS=\n"
    assert urls(read_env_file(text, {})) == [LOCAL]
    details = read_env_file_leniently(f"API_VALIDATOR={LOCAL}\n", {})
    assert urls(details) == [LOCAL]
    assert codes(details) == ["nym-api-shadowed"]
    both = f"API_VALIDATOR=http://other/\nNYM_API={LOCAL}\nNYM_APIS=\n"
    assert urls(read_env_file(both, {})) == [LOCAL]
    assert read_env_file("NYMD_VALIDATOR=http://chain/\n", {}).nyxd_url == "http://chain/"


def test_an_empty_nym_api_is_as_good_as_none() -> None:
    details = read_env_file_leniently("NYM_API=\n", {})
    assert urls(details) == urls(MAINNET) == urls(read_env_file("NYM_API=\n", {}))
    assert codes(details) == []


def test_a_list_in_the_environment_wins_over_nym_api_in_the_file() -> None:
    environ = {"NYM_APIS": '[{"url":"http://9.9.9.9/"}]'}
    details = read_env_file_leniently(f"NYM_API={LOCAL}\n", environ)
    assert urls(details) == ["http://9.9.9.9/"]
    assert codes(details) == []


def test_nym_api_in_the_environment_alone_still_means_mainnet() -> None:
    environ = {"NYM_API": LOCAL}
    assert urls(read_env_file_leniently("NETWORK_NAME=x\n", environ)) == urls(MAINNET)


@pytest.mark.parametrize(
    "value",
    [
        f'[{{"url":"{LOCAL}"}}]',
        f'[{{"url": "{LOCAL}", "front_hosts": null}}]',
        f'  [ {{"url":"{LOCAL}"}} ]  ',
        f'[{{"url":"{LOCAL}"}}] # a comment',
        f'[{{"url":"{LOCAL}"}}]\r',
    ],
)
@pytest.mark.parametrize("prefix", ["NYM_APIS=", "export NYM_APIS =", " NYM_APIS= "])
def test_unquoted_json_is_read_as_it_was_meant(prefix: str, value: str) -> None:
    text = f"A=1\n{prefix}{value}\nNETWORK_NAME=local\n"
    with pytest.raises(ConfigurationError):
        read_env_file(text, {})
    details = read_env_file_leniently(text, {})
    assert urls(details) == [LOCAL]
    assert details.network_name == "local"
    assert codes(details) == ["unquoted-json"]


def test_an_unquoted_text_that_is_no_list_stays_malformed() -> None:
    text = 'NYM_APIS=["no object"]\n'
    for read in (read_env_file, read_env_file_leniently):
        with pytest.raises(ConfigurationError):
            read(text, {})


def test_unquoted_json_of_the_vpn_list_does_not_spoil_the_file() -> None:
    text = QUOTED + 'NYM_VPN_APIS=[{"url":"http://vpn/"}]\n'
    with pytest.raises(ConfigurationError):
        read_env_file(text, {})
    details = read_env_file_leniently(text, {})
    assert urls(details) == [LOCAL]
    assert "NYM_VPN_APIS" in details.warnings[0].message


def test_configured_means_that_the_file_is_not_loaded() -> None:
    environ = {"CONFIGURED": "", "NYM_APIS": "", "API_VALIDATOR": "http://exported/"}
    details = read_env_file_leniently(QUOTED, environ)
    assert urls(details) == ["http://exported/"] == urls(read_env_file(QUOTED, environ))
    assert details.network_name == "mainnet"
    assert codes(details) == ["file-not-loaded"]
    with pytest.raises(ConfigurationError):  # it is read all the same
        read_env_file("malformed", environ)


def test_configured_without_a_file_uses_the_environment() -> None:
    environ = {"CONFIGURED": "1", "NYM_APIS": f'[["{LOCAL}", null]]'}
    assert urls(read_env_file(None, environ)) == [LOCAL]
    assert urls(NetworkDetails.from_env_file(None, environ)) == [LOCAL]


def test_without_a_file_even_exported_variables_are_overwritten() -> None:
    assert read_env_file(None, {"NYM_APIS": "nonsense"}) == MAINNET


@pytest.mark.parametrize(
    "text",
    [
        "NYM_APIS='[{}]'",
        "NYM_APIS='{}'",
        "NYM_APIS='null'",
        "NYM_APIS=' '",
        "NYM_APIS='[{\"url\":1}]'",
        'NYM_APIS=\'[{"url":"a","front_hosts":[1]}]\'',
        'NYM_APIS=\'[{"url":"a","front_hosts":"b"}]\'',
        'NYM_APIS=\'[{"url":"a","url":"b"}]\'',
        'NYM_APIS=\'[{"url":"a","x":NaN}]\'',
        "NYM_APIS='[[\"a\"]]'",
        "NYM_APIS='[\"a\"]'",
        'NYM_APIS=\'[{"url":"\\ud800"}]\'',
        "NYM_APIS='" + "[" * 5000 + "'",
        "NYM_VPN_APIS='x'",
        "NYM_APIS=\nNYM_API=",
        "NYM_APIS=\nNYM_API=no-url",
        "NYM_APIS=\nNYM_API=http://",
        "NYM_APIS=\nNYM_API=http://h:99999/",
        "DENOMS_EXPONENT=",
        "DENOMS_EXPONENT=4294967296",
        "DENOMS_EXPONENT=-1",
        "DENOMS_EXPONENT='6 '",
        "DENOMS_EXPONENT=" + "9" * 5000,
        "NETWORK_NAME='\0'",
        "\ufeffNETWORK_NAME=local",
    ],
)
def test_what_rust_panics_on(text: str) -> None:
    for read in (read_env_file, read_env_file_leniently):
        with pytest.raises(ConfigurationError):
            read(text + "\n", {})


@pytest.mark.parametrize("exponent", ["+6", "0", "4294967295", "0" * 5000 + "6"])
def test_exponents_that_rust_reads(exponent: str) -> None:
    assert urls(read_env_file(f"DENOMS_EXPONENT={exponent}\n", {})) == urls(MAINNET)


def test_only_the_legacy_url_is_normalised() -> None:
    written = "HTTP://Example.COM:80"
    assert urls(read_env_file(f"NYM_APIS=\nNYM_API={written}\n", {})) == ["http://example.com/"]
    assert urls(read_env_file(f'NYM_APIS=\'[{{"url":"{written}"}}]\'\n', {})) == [written]


def test_from_env_file_reads_and_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "local.env"
    path.write_text(f"NYM_API={LOCAL}\n")
    monkeypatch.delenv("CONFIGURED", raising=False)
    monkeypatch.delenv("NYM_APIS", raising=False)
    before = dict(os.environ)
    with caplog.at_level(logging.WARNING, "nymproxy.mixnet.directory"):
        details = NetworkDetails.from_env_file(path)
    assert urls(details) == [LOCAL]
    assert [record.getMessage() for record in caplog.records] == [details.warnings[0].message]
    assert dict(os.environ) == before


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.env"):
        NetworkDetails.from_env_file(tmp_path / "missing.env", {})
    with pytest.raises(ConfigurationError):
        NetworkDetails.from_env_file(tmp_path, {})
    (tmp_path / "latin.env").write_bytes(b"NETWORK_NAME=\xe9\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        NetworkDetails.from_env_file(str(tmp_path / "latin.env"), {})


def test_other_sources() -> None:
    assert urls(NetworkDetails.from_directory_url(LOCAL)) == [LOCAL]
    assert len(MAINNET.nym_api_urls) == 3
    with pytest.raises(ConfigurationError):
        NetworkDetails("empty", (), "")


names = st.sampled_from(["NYM_APIS", "NYM_API", "NETWORK_NAME", "CONFIGURED", "DENOMS_EXPONENT"])
values = st.sampled_from(["", "[]", f'[{{"url":"{LOCAL}"}}]', LOCAL, "6", "[", "x y"])


@given(st.lists(st.tuples(names, values), max_size=4), st.dictionaries(names, values, max_size=3))
def test_either_details_or_one_error(lines: list[tuple[str, str]], environ: dict[str, str]) -> None:
    """And where Rust reads a file without going to mainnet, both readings agree."""
    text = "".join(f"{key}={value}\n" for key, value in lines)
    try:
        strict = read_env_file(text, environ)
        lenient = read_env_file_leniently(text, environ)
    except ConfigurationError:
        return
    if not {"nym-api-shadowed", "unquoted-json"} & set(codes(lenient)):
        assert urls(lenient) == urls(strict)
        assert lenient.network_name == strict.network_name
