"""The suggestion for Rust programs: what changes, what stays, that nothing is left to find."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.cli import main
from nymproxy_migrate.formats import syntax
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import SourceFile
from nymproxy_migrate.rewrite import rust
from nymproxy_migrate.scan import scan
from tests.migrate.tools import findings

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = '[dependencies]\nanyhow = "1"\nnym-sdk = "1.21.6"\ntokio = "1"\n'


def suggest(**files: str) -> rust.Suggestion:
    """Return the suggestion; a name is a path with ``__`` for ``/`` and without its suffix."""
    return rust.suggest(
        SourceFile(
            path.replace("__", "/") + (".toml" if path.endswith("Cargo") else ".rs"), text.encode()
        )
        for path, text in files.items()
    )


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (
            "use nym_sdk::tcp_proxy::NymProxyClient;",
            "use crate::nymproxy_compat::NymProxyClient;",
        ),
        (
            "pub(crate) use nym_sdk::tcp_proxy::NymProxyClient as Proxy; // why",
            "pub(crate) use crate::nymproxy_compat::NymProxyClient as Proxy; // why",
        ),
        (
            "use nym_sdk::tcp_proxy::{NymProxyClient, NymProxyServer as Server};",
            "use crate::nymproxy_compat::{NymProxyClient, NymProxyServer as Server};",
        ),
        ("use nym_sdk::tcp_proxy;", "use crate::nymproxy_compat as tcp_proxy;"),
        ("use nym_sdk::tcp_proxy as old;", "use crate::nymproxy_compat as old;"),
        ("use nym_sdk::tcp_proxy::*;", "use crate::nymproxy_compat::*;"),
        (
            "use nym_sdk::{mixnet::{self, Recipient}, tcp_proxy::{NymProxyClient}};",
            "use nym_sdk::{mixnet::{self, Recipient}};\n"
            "use crate::nymproxy_compat::NymProxyClient;",
        ),
        (
            "use nym_sdk::{tcp_proxy::NymProxyClient, mixnet};",
            "use nym_sdk::{mixnet};\nuse crate::nymproxy_compat::NymProxyClient;",
        ),
        (
            "use nym_sdk::{\n    mixnet,\n    tcp_proxy::{self, NymProxyServer},\n    Error,\n};",
            "use nym_sdk::{\n    mixnet,\n    Error,\n};\n"
            "use crate::nymproxy_compat::{self as tcp_proxy, NymProxyServer};",
        ),
        (
            "mod m {\n    #[cfg(unix)]\n    pub use nym_sdk::{mixnet, tcp_proxy};\n}",
            "mod m {\n    #[cfg(unix)]\n    pub use nym_sdk::{mixnet};\n"
            "    #[cfg(unix)] pub use crate::nymproxy_compat as tcp_proxy;\n}",
        ),
        (
            "type P = nym_sdk::tcp_proxy::NymProxyClient;\nfn f(s: &::nym_sdk::tcp_proxy::"
            "NymProxyServer) {}",
            "type P = crate::nymproxy_compat::NymProxyClient;\nfn f(s: &crate::nymproxy_compat::"
            "NymProxyServer) {}",
        ),
        (
            "use nym_sdk as sdk;\n"
            "fn f() { sdk::tcp_proxy::NymProxyClient::new(a, b, c, d, e, 1); }",
            "use nym_sdk as sdk;\nfn f() { crate::nymproxy_compat::NymProxyClient::new"
            "(a, b, c, d, e, 1); }",
        ),
        (
            "fn f() { join!(nym_sdk::tcp_proxy::NymProxyClient::new_with_defaults(a, b)); }",
            "fn f() { join!(crate::nymproxy_compat::NymProxyClient::new_with_defaults(a, b)); }",
        ),
        (
            "use nym_sdk::tcp_proxy::NymProxyClient;\nfn f() {\n    NymProxyClient::new(\n"
            '        a,\n        "h",\n        "1",\n        60, // seconds\n    );\n}',
            "use crate::nymproxy_compat::NymProxyClient;\nfn f() {\n    NymProxyClient::new(\n"
            '        a,\n        "h",\n        "1",\n        60, None, 0, // seconds\n    );\n}',
        ),
        (
            "use nym_sdk::tcp_proxy::NymProxyServer;\nfn f() { NymProxyServer::new(a, b, c); }",
            "use crate::nymproxy_compat::NymProxyServer;\n"
            "fn f() { NymProxyServer::new(a, b, c, None); }",
        ),
    ],
)
def test_only_uses_paths_and_missing_arguments_change(before: str, expected: str) -> None:
    (change,) = (
        each for each in suggest(src__a=before, src__main="").changes if each.path == "src/a.rs"
    )
    assert not syntax.parse("rust", Text.whole(change.after)).has_error
    left = [each.code for each in findings("a.rs", change.after)]
    assert left == []
    again = suggest(src__a=change.after.decode(), src__main="mod nymproxy_compat;\n")
    assert again.changes == ()
    assert change.after.decode() == expected


@pytest.mark.parametrize(
    "text",
    [
        "use nym_sdk::mixnet::MixnetClient;",
        "use other::tcp_proxy::NymProxyClient;\nuse nym_sdk::mixnet;",
        "mod m { use super::NymProxyClient; } // nym_sdk",
        'const A: &str = "nym_sdk::tcp_proxy::NymProxyClient";',
    ],
)
def test_nothing_to_change(text: str) -> None:
    assert suggest(src__main=text) == rust.Suggestion((), (), ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "use nym_sdk::tcp_proxy::*;\nfn f() { MessageBuffer::new(); }",
            "it uses messages or buffers of the old protocol",
        ),
        (
            "use nym_sdk::tcp_proxy::NymProxyServer;\nfn f(s: NymProxyServer) { s.tx(); }",
            "it uses internals of the old server",
        ),
        ("use nym_sdk::tcp_proxy::NymProxyServer;\nfn f( {", "it does not parse"),
    ],
)
def test_what_cannot_follow_stays(text: str, reason: str) -> None:
    found = suggest(src__main=text)
    assert found.changes == ()
    assert found.left == (("src/main.rs", f"left as it is: {reason}"),)


USE = "use nym_sdk::tcp_proxy::NymProxyClient;\n"
NEW = "use crate::nymproxy_compat::NymProxyClient;\n"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (USE, f"mod nymproxy_compat;\n{NEW}"),
        (
            f"#!/bin/run\n//! What it is.\n//! More.\n#![warn(x)]\n\n// Note\n/// Doc\n{USE}",
            "#!/bin/run\n//! What it is.\n//! More.\n#![warn(x)]\n\n// Note\n"
            f"mod nymproxy_compat;\n/// Doc\n{NEW}",
        ),
        (
            f"// c\n//! Doc\n#[cfg(a)]\n{USE}",
            f"// c\n//! Doc\nmod nymproxy_compat;\n#[cfg(a)]\n{NEW}",
        ),
        (f"mod nymproxy_compat;\n{USE}", f"mod nymproxy_compat;\n{NEW}"),
    ],
)
def test_the_root_of_the_crate_declares_the_module(before: str, expected: str) -> None:
    found = suggest(src__main=before)
    (change,) = found.changes
    assert change.after.decode() == expected
    assert found.homes == ("src/nymproxy_compat.rs",)


def test_each_crate_has_its_root() -> None:
    found = suggest(
        a__src__lib="pub mod deep;\n",
        a__src__deep__inner=USE,
        a__src__bin__tool=USE,
        a__tests__it=USE,
        lonely=USE,
    )
    changed = {each.path: each.after.decode() for each in found.changes}
    assert changed["a/src/lib.rs"] == "mod nymproxy_compat;\npub mod deep;\n"
    assert changed["a/src/deep/inner.rs"] == NEW
    assert changed["a/src/bin/tool.rs"].startswith('#[path = "../nymproxy_compat.rs"]\nmod nymp')
    assert changed["a/tests/it.rs"].startswith('#[path = "../src/nymproxy_compat.rs"]\nmod nymp')
    assert found.homes == ("a/src/nymproxy_compat.rs",)
    assert found.left == (("lonely.rs", "add `mod nymproxy_compat;` to the root of its crate"),)


CALLED = (
    "use nym_sdk::tcp_proxy::NymProxyClient;\n"
    "fn f() {\n    NymProxyClient::new(a, b, c, d, e, f);\n}\n"
)


def test_a_root_that_only_the_manifest_names() -> None:
    manifest = MANIFEST + '[[bin]]\nname = "proxy_client"\npath = "src/proxy_client.rs"\n'
    found = suggest(Cargo=manifest, src__proxy_client=CALLED)
    (changed,) = (each for each in found.changes if each.path.endswith(".rs"))
    assert changed.after.startswith(b"mod nymproxy_compat;\nuse crate::nymproxy_compat")
    assert found.homes == ("src/nymproxy_compat.rs",)
    assert found.left == ()


def test_nym_sdk_by_another_name() -> None:
    manifest = MANIFEST.replace(
        'nym-sdk = "1.21.6"', 'nym = { package = "nym-sdk", version = "1.21.6" }'
    )
    found = suggest(Cargo=manifest, src__main=CALLED.replace("nym_sdk", "nym"))
    (changed,) = found.changes
    assert b"use crate::nymproxy_compat::NymProxyClient;" in changed.after


def test_what_never_compiled_is_left_alone() -> None:
    found = suggest(Cargo=MANIFEST, src__main=CALLED.replace("(a, b, c, d, e, f)", "(a)"))
    assert found.changes == ()
    assert found.left == (
        (
            "src/main.rs",
            "left as it is: no published version takes these arguments, so it never compiled",
        ),
    )


def test_a_private_copy_of_the_module_is_named_as_that() -> None:
    text = "pub struct NymProxyServer {\n    upstream: String,\n}\n"
    (found,) = findings("src/tcp_proxy/server.rs", text)
    assert (found.code, found.message.partition(":")[0]) == (
        "NYM018",
        "NymProxyServer is declared here",
    )
    assert findings("src/nymproxy_compat.rs", text) == []


def test_crates_of_the_same_repository_go_with_it() -> None:
    git = '{ git = "https://github.com/nymtech/nym" }'
    manifest = MANIFEST.replace('"1.21.6"', git) + f"nym-crypto = {git}\n"
    found = suggest(Cargo=manifest, src__main=CALLED)
    ((_, what),) = found.left
    assert what.endswith(': nym-sdk = "1.21.6", and nym-crypto')


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (MANIFEST, None),
        (
            '[dependencies]\nnym-sdk = "1.4" # old\n',
            '[dependencies]\nanyhow = "1"\ntokio = { version = "1.47", features = ["full"] }\n'
            'nym-sdk = "1.21.6" # old\n',
        ),
        (
            '[dependencies]\nanyhow = "1"\ntokio = "1"\n[dependencies.nym-sdk]\nversion = "1"\n'
            "features = []\n",
            None,
        ),
        (
            '[dependencies]\nanyhow = "1"\ntokio = ""\n[dependencies.nym-sdk]\nversion = "1.4"\n',
            '[dependencies]\nanyhow = "1"\ntokio = ""\n'
            '[dependencies.nym-sdk]\nversion = "1.21.6"\n',
        ),
        (
            '[dependencies]\nanyhow = "1"\ntokio = "1"\nnym-sdk = { version = "0.9" }\n',
            '[dependencies]\nanyhow = "1"\ntokio = "1"\nnym-sdk = { version = "1.21.6" }\n',
        ),
    ],
)
def test_manifests(manifest: str, expected: str | None) -> None:
    found = suggest(Cargo=manifest, src__main=USE)
    changed = {each.path: each.after.decode() for each in found.changes}
    assert changed.get("Cargo.toml") == expected
    assert found.left == ()


@pytest.mark.parametrize(
    ("manifest", "what"),
    [
        ("[dependencies]\n", 'nym-sdk = "1.21.6" must be among its dependencies'),
        ("[dependencies\n", "not valid TOML"),
        (
            MANIFEST.replace('"1.21.6"', '{ git = "https://github.com/nymtech/nym" }'),
            "take nym-sdk from crates.io",
        ),
        ('dependencies = { nym-sdk = "1.21", tokio = "1" }\n', 'anyhow = "1" must be among'),
    ],
)
def test_manifests_for_a_human(manifest: str, what: str) -> None:
    found = suggest(Cargo=manifest, src__main=USE)
    assert [each.path for each in found.changes] == ["src/main.rs"]
    (left,) = found.left
    assert left[0] == "Cargo.toml"
    assert what in left[1]


def test_the_command_writes_beside_the_tree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tree, out = tmp_path / "tree", tmp_path / "out"
    (tree / "src").mkdir(parents=True)
    (tree / "Cargo.toml").write_text(MANIFEST)
    (tree / "src/main.rs").write_text(USE + "fn main() {}\n")
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert main(["rewrite", "--rust-suggest", str(out), str(tree)]) == 1
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in out.iterdir()) == ["nymproxy.patch", "nymproxy_compat.rs"]
    copy, patch = capsys.readouterr().out.splitlines()[1:]
    assert copy == f"cp {out}/nymproxy_compat.rs tree/src/nymproxy_compat.rs"
    if shutil.which("patch"):
        subprocess.run(f"{copy} && {patch}", shell=True, check=True, capture_output=True)
        assert (tree / "src/main.rs").read_text() == f"mod nymproxy_compat;\n{NEW}fn main() {{}}\n"
        assert [each.code for each in scan([tree]).findings] == ["NYM014"]
        assert main(["rewrite", "--rust-suggest", str(out), str(tree)]) == 0


def test_the_command_refuses_what_does_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rewrite", "--rust-suggest", str(tmp_path), "--write"]) == 2
    assert main(["rewrite", "--rust-suggest", str(tmp_path), str(tmp_path / "none")]) == 2
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err.count("\n") == 2


def test_the_module_is_ours_parses_and_has_the_old_constructors() -> None:
    module = rust.module_source()
    assert module.startswith("// SPDX-License-Identifier: CC0-1.0\n")
    assert not syntax.parse("rust", Text.whole(module.encode())).has_error
    assert findings("nymproxy_compat.rs", module) == []
    for signature in (
        "pub async fn new_with_defaults(server_address: Recipient, env: Option<String>)",
        "pub async fn run(&self) -> Result<()>",
        "pub async fn disconnect(&self)",
        "pub async fn run_with_shutdown(&mut self) -> Result<()>",
        "pub fn disconnect_signal(&self) -> mpsc::Sender<()>",
        "pub fn nym_address(&self) -> &Recipient",
    ):
        assert signature in module


def test_sidecars_are_printed_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.rs").write_text(
        USE + 'fn f() { NymProxyClient::new(to, "127.0.0.1", &port, 60_u64, Some("/e".into()), 2);'
        " NymProxyClient::new_with_defaults(to, None);"
        " NymProxyClient::new(TO, HOST, PORT, 1, None, 2); }\n"
        'const TO: &str = "T.T@T"; static HOST: &str = "::1"; const PORT: &str = port();\n'
    )
    (tmp_path / "b.go").write_text(
        'package b\nimport "nymffi/go-nym/bindings"\n'
        'func f() { bindings.NewProxyServer("h:1", "/srv", nil, nil) }\n'
    )
    assert main(["sidecar", str(tmp_path)]) == 0
    units = capsys.readouterr().out
    assert units.count("[Service]") == 4
    assert "--server-address T.T@T --listen-address ::1 --listen-port ${LISTEN_PORT}" in units
    assert all(line.startswith("ExecStart=/") for line in units.splitlines() if "Exec" in line)
    assert "--listen-port ${LISTEN_PORT} --close-timeout 60 --env-path /e --client-pool" in units
    assert "--listen-address 127.0.0.1 --listen-port 8080 --close-timeout 60\n" in units
    assert main(["sidecar", "--program", "/opt/nymproxy", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("ExecStart=/opt/nymproxy ") == 4
    assert main(["sidecar", "--program", "nymproxy", str(tmp_path)]) == 2
    assert main(["sidecar", "--format", "compose", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("services:\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.rs", "b.go"]
    (tmp_path / "empty").mkdir()
    assert main(["sidecar", str(tmp_path / "empty")]) == 0
    assert capsys.readouterr().err == "no program here makes a proxy\n"
    assert main(["sidecar", str(tmp_path / "none")]) == 2
