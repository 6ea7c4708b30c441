"""The example deployment: it is found, rewritten, and put back, and a Nym client can read it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nymproxy import NetworkDetails, NymAddress
from nymproxy_migrate import demo
from nymproxy_migrate.cli import main
from nymproxy_migrate.model import Action
from nymproxy_migrate.scan import scan
from tests.migrate.tools import OPTIONS, assert_parses

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(demo.__file__).parent / "deployment"

REWRITTEN = {
    "scripts/deploy.sh",
    "scripts/start-client.sh",
    "scripts/start-server.sh",
    "systemd/nym-proxy-client.service",
    "systemd/nym-proxy-server.service",
    "systemd/nym-proxy-server.service.d/override.conf",
    "python/nightly_upload.py",
}
FOUND = {
    ("compose.yaml", "NYM005"),
    ("compose.yaml", "NYM060"),
    ("envs/mainnet.env", "NYM043"),
    ("go/main.go", "NYM020"),
    ("go/main.go", "NYM021"),
    ("python/nightly_upload.py", "NYM030"),
    ("rust/Cargo.toml", "NYM014"),
    ("rust/src/main.rs", "NYM010"),
    ("scripts/deploy.sh", "NYM001"),
    ("scripts/deploy.sh", "NYM006"),
    ("scripts/deploy.sh", "NYM060"),
    ("scripts/health-check.sh", "NYM070"),
    ("scripts/start-client.sh", "NYM001"),
    ("scripts/start-server.sh", "NYM002"),
    ("scripts/start-server.sh", "NYM050"),
    ("systemd/nym-proxy-client.service", "NYM001"),
    ("systemd/nym-proxy-client.service", "NYM060"),
    ("systemd/nym-proxy-server.service", "NYM002"),
    ("systemd/nym-proxy-server.service", "NYM050"),
    ("systemd/nym-proxy-server.service.d/override.conf", "NYM002"),
    ("systemd/nym-proxy-server.service.d/override.conf", "NYM007"),
    ("systemd/nym-proxy-server.service.d/override.conf", "NYM050"),
}


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "deployment"
    shutil.copytree(EXAMPLE, copy)
    monkeypatch.chdir(copy)
    return copy


FINISH = ("rewrite", "--write", "--to", "stream", "--decide", "NYM063=stream")


def _files(tree: Path) -> Iterator[Path]:
    for path in sorted(tree.rglob("*")):
        if path.is_file() and ".nymproxy-migrate" not in path.parts:
            yield path


def _state(tree: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(tree)): (path.read_bytes(), path.stat().st_mode)
        for path in _files(tree)
    }


def test_everything_is_found(deployment: Path) -> None:
    found = scan([deployment], OPTIONS).findings
    places = {(finding.path, finding.code) for finding in found}
    assert places >= FOUND
    assert "NYM090" not in {code for _, code in places}, "a file does not parse"
    rewritten = {finding.path for finding in found if finding.action is Action.REWRITE}
    assert rewritten >= REWRITTEN


def test_rewrite_and_rollback(deployment: Path) -> None:
    before = _state(deployment)
    assert main(["rewrite", "--write"]) == 1, "the image in compose.yaml is left for a human"
    written = _state(deployment)
    changed = {path for path in before if written[path] != before[path]}
    assert changed >= REWRITTEN
    for path in changed:
        assert_parses(path, written[path][0])
        assert written[path][1] == before[path][1]
    assert main(["rewrite", "--write"]) == 1
    assert _state(deployment) == written, "a second run changes nothing"
    assert main(["rollback"]) == 0
    assert _state(deployment) == before


def test_the_config_directory_stays(deployment: Path) -> None:
    main(["rewrite", "--write"])
    unit = (deployment / "systemd" / "nym-proxy-server.service").read_text()
    assert "server --accept legacy,stream --compat-config-dir" in unit
    script = (deployment / "scripts" / "start-server.sh").read_text()
    assert "server --accept legacy,stream --compat-config-dir" in script


def test_scripts_finish_with_streams(deployment: Path) -> None:
    main(["rewrite", "--write"])
    assert main([*FINISH, "scripts"]) in {0, 1}
    client = (deployment / "scripts" / "start-client.sh").read_text()
    assert "nymproxy client --wire stream" in client


def test_addresses_and_network_are_valid() -> None:
    texts = [path.read_text() for path in _files(EXAMPLE)]
    addresses = {found for text in texts for found in re.findall(r"\w{32,}\.\w{32,}@\w{32,}", text)}
    assert len(addresses) == 2
    for address in addresses:
        assert str(NymAddress.parse(address)) == address
    details = NetworkDetails.from_env_file(EXAMPLE / "envs" / "mainnet.env", environ={})
    assert details.network_name == "mainnet"
