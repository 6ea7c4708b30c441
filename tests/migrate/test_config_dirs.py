"""Config directories on disk: their Nym address, and commands that would lose it."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from nymproxy_migrate.config_dirs import address_of, is_config_dir
from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.scan import scan
from tests.migrate import tools

ARCHIVE = Path(__file__).resolve().parents[1] / "vectors" / "rust_config_dir.tar"
KEYS = ("private_identity.pem", "public_identity.pem", "private_encryption.pem")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tree, filter="data")
    return tree


@pytest.fixture
def directory(tree: Path) -> Path:
    (found,) = tree.iterdir()
    return found


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_directory_is_found_with_its_address_and_stays_as_it_is(
    tree: Path, directory: Path
) -> None:
    before = snapshot(directory)
    (found,) = scan([tree]).findings
    assert snapshot(directory) == before
    assert (found.code, found.kind, found.action) == ("NYM052", Kind.CONFIG_DIR, Action.INFO)
    assert found.path == f"{directory.name}/public_identity.pem"
    address = address_of(directory)[0]
    assert address is not None
    assert address in json.dumps(json.loads((directory / "expected.json").read_text()))
    assert address in found.message


def test_the_folder_itself_and_one_file(directory: Path) -> None:
    for path in (directory, directory / "public_identity.pem"):
        (found,) = scan([path]).findings
        assert found.message.startswith(". holds the keys of")


def test_a_directory_without_a_gateway(tree: Path, directory: Path) -> None:
    (directory / "gateways_registrations.sqlite").unlink()
    (found,) = scan([tree]).findings
    assert (found.code, found.action) == ("NYM052", Action.REPORT)
    assert found.needs_human
    assert "no gateway yet" in found.message


def test_a_damaged_database(tree: Path, directory: Path) -> None:
    (directory / "gateways_registrations.sqlite").write_bytes(b"no database")
    (found,) = scan([tree]).findings
    assert (found.code, found.action) == ("NYM052", Action.REPORT)


@pytest.mark.parametrize("missing", KEYS)
def test_other_directories_with_keys(tree: Path, directory: Path, missing: str) -> None:
    (directory / missing).unlink()
    assert not is_config_dir(directory)
    assert scan([tree]).findings == ()


def test_data_of_a_native_or_socks5_client_is_left_alone(tree: Path, directory: Path) -> None:
    (tree / "config").mkdir()
    (tree / "config" / "config.toml").write_text("[client]\n")
    assert scan([tree]).findings == ()
    assert directory.is_dir()


def unit(home: str, config_dir: Path) -> str:
    return (
        f"[Service]\nEnvironment=HOME={home}\n"
        f"ExecStart=/usr/bin/nym-proxy-server -u a:1 -c {config_dir}\n"
    )


def test_keys_that_are_where_the_path_says_and_not_where_the_old_server_looks(
    directory: Path,
) -> None:
    text = unit("/nonexistent", directory)
    found = {one.code: one for one in tools.findings("a.service", text)}
    decision = found["NYM062"]
    assert decision.decision == ("effective", "as-written")
    assert decision.needs_human
    assert f"/nonexistent{directory}" in decision.message
    assert str(address_of(directory)[0]) in decision.message
    for choice, rule in (("effective", " --compat-config-dir"), ("as-written", "")):
        options = replace(tools.OPTIONS, decisions={"NYM062": choice})
        start = f"{tools.NYMPROXY} server --accept legacy,stream{rule}"
        tools.check("a.service", text, text.replace("/usr/bin/nym-proxy-server", start), options)
        (told,) = (
            one for one in tools.findings("a.service", text, options) if one.code == "NYM062"
        )
        assert (told.action, told.needs_human) == (Action.INFO, False)
        assert str(directory) in told.message


def test_a_home_that_is_not_known_can_be_decided(directory: Path) -> None:
    call = f"subprocess.run(['nym-proxy-server', '-u', 'a:1', '-c', '{directory}'])"
    text = f"import subprocess\n{call}\n"
    assert sorted(tools.codes("a.py", text)) == ["NYM030", "NYM062"]
    options = ScanOptions(decisions={"NYM062": "as-written"})
    assert tools.codes("a.py", text, options) == ["NYM030"]


def test_nothing_to_decide(directory: Path, tmp_path: Path) -> None:
    assert "NYM062" not in tools.codes("a.service", unit("/nonexistent", tmp_path))
    home = tmp_path / "home"
    effective = Path(f"{home}{directory}")
    effective.parent.mkdir(parents=True)
    effective.symlink_to(directory)
    assert "NYM062" not in tools.codes("a.service", unit(str(home), directory))


def test_the_default_directory_as_written() -> None:
    options = ScanOptions(decisions={"NYM062": "as-written"})
    tools.check(
        "a.sh",
        "nym-proxy-server -u a:1\n",
        "nymproxy server --accept legacy,stream --config-dir /tmp/nym-tcp-proxy-server -u a:1\n",
        options,
    )
