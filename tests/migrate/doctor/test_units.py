"""What a unit starts: the program, HOME, the directory that follows, and what a server does."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from nymproxy import NodeIdentity, nym_address_of
from nymproxy_migrate.cli import main
from nymproxy_migrate.doctor.model import Verdict
from nymproxy_migrate.doctor.program import UNIT_PATH, check_program, why_not_started
from nymproxy_migrate.doctor.start import check_start
from nymproxy_migrate.doctor.unit import judge_home, read_unit
from nymproxy_migrate.refused import Refused
from tests.migrate.doctor.test_doctor import ARCHIVE, UNKNOWN_GATEWAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ME = pwd.getpwuid(os.getuid())


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "nymproxy"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "archive", filter="data")
    (found,) = (tmp_path / "archive").iterdir()
    for path in found.iterdir():
        path.chmod(0o600)
    return found


# The program.


def test_a_program_that_a_unit_can_start(program: Path) -> None:
    assert why_not_started(str(program)) is None
    check = check_program([str(program), str(program)])
    assert (check.verdict, check.cause) == (Verdict.OK, "all 2 are there and can be executed")
    assert check_program([]).verdict is Verdict.SKIPPED


def not_there(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def not_executable(path: Path) -> None:
    path.chmod(0o644)


def of_a_python_that_is_gone(path: Path) -> None:
    path.write_text(f"#!{path.parent}/bin/python\n")


def below_a_file(path: Path) -> None:
    path.unlink()
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.write_bytes(b"")


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (not_there, "no such file"),
        (a_folder, "it is no file"),
        (not_executable, "it is not executable"),
        (of_a_python_that_is_gone, "what its first line names"),
        (below_a_file, "not a directory"),
    ],
)
def test_what_a_unit_cannot_start(
    tmp_path: Path, happens: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "folder" / "nymproxy"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    happens(path)
    check = check_program([str(path)])
    assert check.verdict is Verdict.FAIL
    assert reason in check.cause
    assert str(tmp_path) not in check.cause
    assert check.detail == str(path)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_says_the_same_of_programs(program: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    programs = [str(program), str(plain), f"{tmp_path}/no", "bin/nymproxy", "env", "nowhere-at-all"]
    for number, each in enumerate(programs):
        unit = tmp_path / f"unit-{number}.service"
        unit.write_text(f"[Service]\nExecStart={each} server\n")
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)],
            capture_output=True,
            text=True,
            check=False,
        )
        own = [line for line in done.stderr.splitlines() if unit.name in line]
        assert (why_not_started(each) is None) == (not own), own


def test_names_and_relative_paths(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH of whoever runs the doctor does not count: that of units does."""
    monkeypatch.chdir(program.parent)
    monkeypatch.setenv("PATH", str(program.parent))
    assert why_not_started("bin/nymproxy") == "a unit needs its full path"
    assert UNIT_PATH in (why_not_started("nymproxy-that-is-nowhere") or "")
    assert why_not_started("env") is None


# HOME, and the directory.


def home_of(tmp_path: Path, settings: str, command: str) -> tuple[Verdict, str, str | None]:
    path = tmp_path / "server.service"
    path.write_text(f"[Service]\n{settings}\nExecStart=/usr/bin/nymproxy {command}\n")
    check, directory = judge_home(read_unit(path, "/home/me"))
    return check.verdict, check.cause, directory


SERVER = "server -u 127.0.0.1:22"
COMPAT = f"{SERVER} --compat-config-dir"
SYSTEM = "[Install]\nWantedBy=multi-user.target\n[Service]"


@pytest.mark.parametrize(
    ("settings", "command", "directory"),
    [
        ("", f"{SERVER} -c /srv/keys", "/srv/keys"),
        ("", f"{SERVER} --config-dir=/srv/keys", "/srv/keys"),
        ("Environment=HOME=/srv/nym", f"{COMPAT} -c /keys", "/srv/nym/keys"),
        ("Environment=HOME=/srv/nym", COMPAT, "/srv/nym/tmp/nym-tcp-proxy-server"),
        ("Environment=HOME=/srv/nym", SERVER, "/srv/nym/tmp/nym-tcp-proxy-server"),
        (SYSTEM, f"{COMPAT} -c /keys", "/root/keys"),
        (f"User={ME.pw_name}", f"{COMPAT} -c /keys", f"{ME.pw_dir}/keys"),
        ("[Install]\nWantedBy=default.target\n[Service]", f"{COMPAT} -c /k", "/home/me/k"),
        ("", "client -s A", None),
    ],
)
def test_the_directory_of_a_unit(
    tmp_path: Path, settings: str, command: str, directory: str | None
) -> None:
    verdict, _, found = home_of(tmp_path, settings, command)
    assert (verdict, found) == (Verdict.OK, directory)


@pytest.mark.parametrize(
    ("settings", "command", "verdict", "cause"),
    [
        ("DynamicUser=yes", COMPAT, Verdict.FAIL, "does not say which"),
        ("User=nobody-of-this-name", COMPAT, Verdict.FAIL, "user of the unit is not known"),
        ("", f"{SERVER} -c keys", Verdict.FAIL, "relative to a folder"),
        ("", f"{SERVER} -c ${{KEYS}}", Verdict.WARN, "stands in a variable"),
        ("", f"{SERVER} --config-dir=${{KEYS}}", Verdict.WARN, "stands in a variable"),
    ],
)
def test_units_whose_directory_is_not_known(
    tmp_path: Path, settings: str, command: str, verdict: Verdict, cause: str
) -> None:
    found, told, directory = home_of(tmp_path, settings, command)
    assert (found, directory) == (verdict, None)
    assert cause in told


def test_a_unit_that_starts_something_else(tmp_path: Path) -> None:
    path = tmp_path / "a.service"
    path.write_text("[Service]\nExecStart=nym-proxy-client -s A\n")
    with pytest.raises(Refused, match="it starts no nymproxy"):
        read_unit(path, None)
    assert main(["doctor", "--unit", str(path)]) == 2
    assert main(["doctor", "--unit", str(tmp_path / "no")]) == 2


# What a server does.


def test_a_server_that_keeps_its_address(folder: Path) -> None:
    check = check_start(folder, None, needs_keys=True)
    assert (check.verdict, "OLD address" in check.cause) == (Verdict.OK, True)
    address = nym_address_of(folder)
    assert str(address)[:6] in check.detail
    assert str(address) not in check.detail + check.cause
    assert check_start(folder, address.gateway, needs_keys=True).verdict is Verdict.OK


def test_a_server_that_gets_a_new_address(folder: Path, tmp_path: Path) -> None:
    for directory, gateway in (
        (tmp_path / "no", None),
        (folder, NodeIdentity.parse(UNKNOWN_GATEWAY)),
    ):
        check = check_start(directory, gateway, needs_keys=False)
        assert (check.verdict, "NEW address" in check.cause) == (Verdict.WARN, True)
    (folder / "gateways_registrations.sqlite").unlink()
    check = check_start(folder, None, needs_keys=True)
    assert check.cause.startswith("it keeps the keys and chooses a gateway")


def test_a_server_that_refuses_to_start(folder: Path, tmp_path: Path) -> None:
    check = check_start(tmp_path / "no", None, needs_keys=True)
    assert (check.verdict, "refused" in check.cause) == (Verdict.FAIL, True)
    path = folder / "private_identity.pem"
    for data in (b"", path.read_bytes()[:40], b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"):
        path.write_bytes(data)
        check = check_start(folder, None, needs_keys=False)
        assert check.verdict is Verdict.FAIL
        assert "damaged, encrypted, incomplete" in check.cause
        assert str(folder) not in check.cause
        assert "private_identity.pem" in check.detail
    path.chmod(0o644)
    assert "replace the keys" in check_start(folder, None, needs_keys=False).cause


def test_a_unit_says_what_to_look_at(
    folder: Path, program: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    unit, env = tmp_path / "a.service", tmp_path / "env"
    unit.write_text(f"[Service]\nExecStart={program} server -u h:1 -c {folder}\n")
    env.write_text("CONFIGURED=true\nNYM_API=http://127.0.0.1:1/api\n")
    assert main(["doctor", "--unit", str(unit), "-e", str(env), "--timeout", "2"]) == 1
    found = {line.split()[1]: line.split()[0] for line in capsys.readouterr().out.splitlines()}
    for name in ("program", "unit-home", "config-dir", "key-files", "server-start"):
        assert found[name] == "ok", name


def test_a_command_without_any_flag(tmp_path: Path) -> None:
    verdict, _, directory = home_of(tmp_path, "Environment=HOME=/srv", "server")
    assert (verdict, directory) == (Verdict.OK, "/srv/tmp/nym-tcp-proxy-server")


@pytest.mark.parametrize(
    ("content", "directory"),
    [
        ('[[server]]\nupstream = "h:1"\nconfig_dir = "keys"\n', "{here}/keys"),
        ('[[server]]\nconfig_dir = "/srv/keys"\n[[server]]\nconfig_dir = "b"\n', "/srv/keys"),
        ('[[server]]\nconfig_dir = "/k"\ncompat_config_dir = true\n', "/srv/nym/k"),
        ("[[server]]\n", "/srv/nym/tmp/nym-tcp-proxy-server"),
        ("[[client]]\n", None),
    ],
)
def test_the_directory_of_a_configuration_file(
    tmp_path: Path, content: str, directory: str | None
) -> None:
    file = tmp_path / "nymproxy.toml"
    file.write_text(content)
    home = "Environment=HOME=/srv/nym"
    for flag in (f"-c {file}", f"--config={file}"):
        verdict, _, found = home_of(tmp_path, home, f"run {flag}")
        wanted = None if directory is None else directory.format(here=tmp_path)
        assert (verdict, found) == (Verdict.OK, wanted)


def test_configuration_files_that_cannot_be_read(tmp_path: Path) -> None:
    verdict, told, _ = home_of(tmp_path, "", "run -c nymproxy.toml")
    assert (verdict, "stands in a variable" in told) == (Verdict.WARN, True)
    (tmp_path / "broken.toml").write_text("[[")
    with pytest.raises(Refused, match="nymproxy check -c"):
        home_of(tmp_path, "", f"run -c {tmp_path}/broken.toml")
