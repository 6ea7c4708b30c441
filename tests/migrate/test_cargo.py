"""Dependencies in Cargo manifests: every way to write them, and where they stand."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nymproxy_migrate.finders import toml_places
from nymproxy_migrate.model import Action, Evidence, Kind
from nymproxy_migrate.scan import scan
from tests.migrate.tools import findings, source

if TYPE_CHECKING:
    from pathlib import Path


def found(text: str, path: str = "Cargo.toml") -> list[tuple[str, int, int]]:
    file = source(path, text)
    return [(each.code, *file.position(each.span.start)) for each in findings(path, file.data)]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('[dependencies]\nnym-sdk = "1.21.6"\n', (2, 1), "version 1.21.6"),
        ('[dependencies]\n"nym-sdk" = "1"\n', (2, 1), "version 1)"),
        ('[dependencies]\nnym-sdk = "=1.4.1"\n', (2, 1), "which has no streams yet"),
        ('dependencies = { tokio = "1", nym-sdk = "1" }\n', (1, 1), "version 1)"),
        ('[dependencies]\nnym-sdk.version = "2"\nnym-sdk.features = ["a"]\n', (2, 1), "features a"),
        ('[dependencies.nym-sdk]\nversion = "1.21"\n', (1, 1), "version 1.21"),
        ('[dependencies]\nsdk = { package = "nym-sdk", version = "1" }\n', (2, 1), "called sdk"),
        ("[dev-dependencies]\nnym-sdk.workspace = true\n", (2, 1), "from the workspace"),
        ('[workspace.dependencies]\nnym-sdk = "1.21.6"\n', (2, 1), "version 1.21.6"),
        ('[target."cfg(unix)".dependencies]\nnym-sdk = "1"\n', (2, 1), "version 1"),
        ('[dependencies]\nnym-sdk = { path = "../sdk" }\n', (2, 1), "a folder of its own"),
    ],
)
def test_nym_sdk_is_information(text: str, place: tuple[int, int], words: str) -> None:
    (finding,) = findings("Cargo.toml", text)
    assert (finding.code, finding.action, finding.kind) == ("NYM014", Action.INFO, Kind.RUST_API)
    assert not finding.needs_human
    assert source("Cargo.toml", text).position(finding.span.start) == place
    assert words in finding.message


def test_spans_hold_the_whole_entry() -> None:
    text = """
# nym-sdk = "0.1"
[package]
name = "a"  # [dependencies]
description = '''
[dependencies]
nym-sdk = "not this"
'''

[dependencies]
tokio = { version = "1", features = ["full"] } # nym-sdk
nym-sdk = { version = "1.21.6", features = [
    "libp2p-vanilla", # one
] } # two

[features]
proxy = ["dep:nym-sdk", "tokio/net"]
"""
    data = source("Cargo.toml", text).data
    dependency, feature = findings("Cargo.toml", text)
    assert dependency.span.of(data).startswith(b'nym-sdk = { version = "1.21.6"')
    assert dependency.span.of(data).endswith(b"# one\n] }")
    assert feature.span.of(data) == b'proxy = ["dep:nym-sdk", "tokio/net"]'
    assert "feature proxy" in feature.message


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            'nym-sdk = { git = "https://github.com/nymtech/nym", branch = "master" }',
            "nym-sdk comes from git, branch master",
        ),
        (
            'nym-sdk = { git = "https://github.com/nymtech/nym.git", rev = "abc" }',
            "nym-sdk comes from git, rev abc",
        ),
        (
            'sdk = { package = "nym-sdk", git = "ssh://git@github.com/nymtech/nym" }',
            "nym-sdk comes from git, at whatever the default branch is",
        ),
        (
            'proxies = { git = "https://github.com/nymtech/standalone-tcp-proxies" }',
            "the repository of the old proxies",
        ),
    ],
)
def test_git_dependencies_are_for_a_human(entry: str, words: str) -> None:
    for before, place in (("[dependencies]\n", (2, 1)), ("[patch.crates-io]\n\n", (3, 1))):
        text = f"{before}{entry}\n"
        (finding,) = findings("Cargo.toml", text)
        assert (finding.code, finding.action) == ("NYM015", Action.REPORT)
        assert finding.needs_human
        assert words in finding.message
        assert source("Cargo.toml", text).position(finding.span.start) == place


def test_other_crates_of_the_repository_go_with_nym_sdk_or_are_not_ours() -> None:
    crypto = 'nym-crypto = { git = "https://github.com/nymtech/nym" }\n'
    assert findings("Cargo.toml", f"[dependencies]\n{crypto}") == []
    sdk = crypto.replace("crypto", "sdk")
    found = findings("Cargo.toml", f"[dependencies]\n{crypto}{sdk}")
    assert [each.message.partition(" ")[0] for each in found] == ["nym-crypto", "nym-sdk"]
    assert {each.needs for each in found} == {Evidence.OLD_PROXIES}


@pytest.mark.parametrize(
    "text",
    [
        '[package]\nname = "nym-sdk"\nrepository = "https://github.com/nymtech/nym"\n',
        '[dependencies]\nnym-sdk-helpers = "1"\n',
        '[dependencies]\n# nym-sdk = "1"\n',
        '[dependencies]\nnym-vpn = { git = "https://github.com/nymtech/nym-vpn-client" }\n',
        '[dependencies]\nsdk = { package = "other", version = "1" } # nym-sdk\n',
        "dependencies = 3\ntarget = []\npatch = { x = 1 }\nfeatures = 1 # nym-sdk\n",
    ],
)
def test_what_is_no_dependency_on_it(text: str) -> None:
    assert found(text) == []


def test_other_files_are_left_alone() -> None:
    assert found('[dependencies]\nnym-sdk = "1"\n', "pyproject.toml") == []


def test_what_does_not_parse_is_a_finding() -> None:
    (finding,) = findings("Cargo.toml", "[dependencies\nnym-sdk = 1\n")
    assert (finding.code, finding.kind) == ("NYM090", Kind.RUST_API)
    (finding,) = findings("Cargo.toml", '[dependencies]\nnym-sdk = "é"\n'.encode("latin-1"))
    assert finding.code == "NYM090"


def test_line_ends_and_marks() -> None:
    assert found('\ufeff[dependencies]\r\nnym-sdk = "1"\r\n') == [("NYM014", 2, 1)]


KEYS = st.sampled_from(["a", "nym-sdk", '"x.y"', "a.b", "'q'"])
VALUES = st.sampled_from(
    ["1", '"#"', "'['", "[1,\n 2, # ]\n]", "{ a = '}' }", '"""\n[x]\n"""', "true", '"\\""']
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    KEYS.map(lambda key: f"[{key}]"),
    st.just("# [c]"),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(LINES, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_places_agree_with_the_parser(lines: list[str], end: str) -> None:
    text = end.join(lines) + end
    try:
        document: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for place in toml_places.places(text.encode()):
        value = document
        for name in place.path:
            assert isinstance(value, dict)
            value = value[name]
        shown = place.span.of(text.encode()).decode()
        if shown.startswith("["):
            assert isinstance(value, dict)
        else:
            tomllib.loads(shown)
    expected = sum(not line.startswith("#") for line in lines)
    assert len(list(toml_places.places(text.encode()))) == expected


@pytest.mark.parametrize(
    ("manifest", "source_text", "words"),
    [
        ('nym-sdk = "1.21.6"', "use nym_sdk::tcp_proxy::NymProxyClient;", 'use: "tcp-proxy"'),
        (
            'sdk = { package = "nym-sdk", version = "2", features = ["tcp-proxy"] }',
            "use sdk::client_pool::ClientPool; // nym_sdk",
            'use: "client-pool"',
        ),
        (
            'nym-sdk = { git = "https://github.com/nymtech/nym", rev = "a" }',
            "use nym_sdk::{client_pool::ClientPool, tcp_proxy}; fn f() { c.open_stream(a, None) }",
            'ones that the sources use: "client-pool", "stream", "tcp-proxy"',
        ),
        ('nym-sdk = "1.21.6"', "use nym_sdk::mixnet;", ""),
    ],
)
def test_features_that_newer_versions_need(
    tmp_path: Path, manifest: str, source_text: str, words: str
) -> None:
    (tmp_path / "Cargo.toml").write_text(f"[dependencies]\n{manifest}\n")
    (tmp_path / "main.rs").write_text(source_text)
    (tmp_path / "a.sh").write_text("nym-proxy-client -s A\n")
    told = [each.message for each in scan([tmp_path]).findings if each.code in {"NYM014", "NYM015"}]
    assert len(told) == 1
    assert words in told[0]
    assert ("features, add" in told[0]) == bool(words)
