"""All checks together: on a localnet, on a directory that fails, and from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import jsonschema  # type: ignore[import-untyped]
import pytest

from nymproxy import DirectoryClient, MixnetClient, NetworkDetails, NodeIdentity
from nymproxy_migrate.cli import main
from nymproxy_migrate.doctor.endpoint import Endpoint
from nymproxy_migrate.doctor.model import Check, Settings, Verdict
from nymproxy_migrate.doctor.run import ORDER, run
from tests.migrate.doctor.places import closed_port, date_off_by, http_server, listening

if TYPE_CHECKING:
    from nymproxy.testing.localnet import BackgroundLocalnet

ARCHIVE = Path(__file__).resolve().parents[2] / "vectors" / "rust_config_dir.tar"
UNKNOWN_GATEWAY = "4kCgDrzVGAUmdCPGjSMeFAHpVc2gMnyZ8VVPnhS7pVQh"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIGURED", "NYM_API", "NYM_APIS"):
        monkeypatch.delenv(name, raising=False)
    # Asking the program on PATH for its version starts a Python each time.
    monkeypatch.setenv("PATH", os.devnull)


def env_file(folder: Path, *urls: str) -> Path:
    path = folder / "env"
    apis = json.dumps([{"url": url} for url in urls])
    path.write_text(f"CONFIGURED=true\nNYM_API={urls[0]}\nNYM_APIS='{apis}'\n")
    return path


def unpacked(folder: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    return found


async def checks_of(settings: Settings) -> dict[str, Check]:
    results = await run(settings)
    assert [check.name for check in results] == list(ORDER)
    return {check.name: check for check in results}


async def identities(localnet: BackgroundLocalnet) -> list[NodeIdentity]:
    details = NetworkDetails.from_env_file(localnet.env_file, {})
    return [node.identity for node in await DirectoryClient(details).fetch_gateways()]


async def test_a_machine_that_is_ready(nymproxy_localnet: BackgroundLocalnet) -> None:
    with listening() as port:
        checks = await checks_of(
            Settings(
                env_path=nymproxy_localnet.env_file,
                gateway=(await identities(nymproxy_localnet))[0],
                listen_port=closed_port(),
                upstream=Endpoint("127.0.0.1", port),
            )
        )
    for name in ("python", "env-file", "directory", "gateway", "listen-port", "upstream"):
        assert checks[name].verdict is Verdict.OK, checks[name]
        assert checks[name].next == ""
    assert checks["gateway"].cause == "it takes clients and can be reached"
    for name in ("config-dir", "key-files", "gateway-database", "reply-database", "nym-address"):
        assert checks[name].verdict is Verdict.SKIPPED


async def test_gateways(nymproxy_localnet: BackgroundLocalnet) -> None:
    env = nymproxy_localnet.env_file
    any_of = (await checks_of(Settings(env_path=env)))["gateway"]
    assert (any_of.verdict, any_of.cause[:14]) == (Verdict.OK, "2 take clients")
    unknown = Settings(env_path=env, gateway=NodeIdentity.parse(UNKNOWN_GATEWAY))
    check = (await checks_of(unknown))["gateway"]
    assert check.verdict is Verdict.FAIL
    assert "not among the 2" in check.cause
    known = await identities(nymproxy_localnet)
    nymproxy_localnet.kill_gateway(0)
    nymproxy_localnet.kill_gateway(1)
    try:
        check = (await checks_of(Settings(env_path=env, gateway=known[0])))["gateway"]
    finally:
        nymproxy_localnet.start_gateway(0)
        nymproxy_localnet.start_gateway(1)
    assert check.verdict is Verdict.FAIL
    assert check.cause.endswith("cannot be reached: connection refused")


async def test_a_folder_that_our_own_client_made(
    nymproxy_localnet: BackgroundLocalnet, tmp_path: Path
) -> None:
    env, folder = nymproxy_localnet.env_file, tmp_path / "client"
    details = NetworkDetails.from_env_file(env, {})
    async with await MixnetClient.connect(details, storage=folder, profile="bare"):
        in_use = await checks_of(Settings(env_path=env, config_dir=folder))
    for checks in (in_use, await checks_of(Settings(env_path=env, config_dir=folder))):
        for name in ("config-dir", "key-files", "gateway-database", "reply-database"):
            assert checks[name].verdict is Verdict.OK, checks[name]
        assert checks["nym-address"].verdict is Verdict.OK
        assert checks["gateway"].cause == "it takes clients and can be reached"


async def test_a_gateway_that_the_address_needs_and_that_is_gone(
    nymproxy_localnet: BackgroundLocalnet, tmp_path: Path
) -> None:
    folder = unpacked(tmp_path)
    settings = Settings(env_path=nymproxy_localnet.env_file, config_dir=folder)
    check = (await checks_of(settings))["gateway"]
    assert check.verdict is Verdict.FAIL
    assert check.cause.startswith("the gateway of the Nym address is not among the 2")


async def test_what_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nymproxy_localnet: BackgroundLocalnet
) -> None:
    program = tmp_path / "nymproxy"
    program.write_bytes(b"\x7fELF for another machine")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    check = (await checks_of(Settings(env_path=nymproxy_localnet.env_file)))["nymproxy"]
    assert check.verdict is Verdict.FAIL
    assert check.cause == "it cannot be looked at: exec format error"


async def test_nothing_is_there(tmp_path: Path) -> None:
    closed = closed_port()
    url = f"http://127.0.0.1:{closed}/api"
    settings = Settings(
        env_path=env_file(tmp_path, url),
        upstream=Endpoint("127.0.0.1", closed),
        config_dir=tmp_path / "no-such-folder",
    )
    checks = await checks_of(settings)
    assert checks["directory"].verdict is Verdict.FAIL
    assert checks["directory"].next.startswith("check the network connection")
    assert checks["gateway"].verdict is Verdict.SKIPPED
    assert checks["clock"].verdict is Verdict.SKIPPED
    assert checks["upstream"].verdict is Verdict.FAIL
    assert checks["upstream"].cause.endswith("connection refused")
    assert checks["config-dir"].verdict is Verdict.FAIL
    assert checks["nym-address"].verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("ahead", "verdict"), [(0, Verdict.OK), (60, Verdict.WARN), (-3600, Verdict.FAIL)]
)
async def test_clocks(tmp_path: Path, ahead: float, verdict: Verdict) -> None:
    with http_server(date_off_by(ahead)) as url:
        check = (await checks_of(Settings(env_path=env_file(tmp_path, url))))["clock"]
    assert check.verdict is verdict
    assert (check.next == "") == (verdict is Verdict.OK)


async def test_the_second_directory_tells_the_time_if_the_first_does_not(tmp_path: Path) -> None:
    closed = f"http://127.0.0.1:{closed_port()}/api"
    with http_server(None) as silent, http_server(date_off_by(600)) as ahead:
        settings = Settings(env_path=env_file(tmp_path, closed, silent, ahead))
        check = (await checks_of(settings))["clock"]
    assert check.verdict is Verdict.FAIL
    assert "behind the directory's" in check.cause


async def test_every_check_ends(tmp_path: Path) -> None:
    """A directory that takes connections and never answers."""
    with listening() as port:
        url = f"http://127.0.0.1:{port}/api"
        with anyio.fail_after(30):
            checks = await checks_of(
                Settings(env_path=env_file(tmp_path, url), deadline_seconds=0.5)
            )
    for name in ("directory", "gateway", "clock"):
        assert checks[name].verdict is Verdict.FAIL
        assert checks[name].cause == "no result within 0.5 s"


def test_a_file_that_never_ends_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Also not the end of the process; and Ctrl-C ends it at once."""
    os.mkfifo(tmp_path / "env")
    code = "import sys; from nymproxy_migrate.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "doctor", "-e", str(tmp_path / "env"), "--timeout"]
    done = subprocess.run(
        [*command, "0.3"], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert "no result within 0.3 s" in done.stdout
    # The file can be opened once the command wants to read it.
    with (
        subprocess.Popen([*command, "60"], stderr=subprocess.PIPE) as process,
        (tmp_path / "env").open("wb"),
    ):
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in stderr


@pytest.mark.parametrize(
    ("text", "verdict", "cause"),
    [
        ("NYM_API=http://127.0.0.1:1/api\n", Verdict.WARN, "nym-api-shadowed"),
        ('NYM_APIS=[{"url":"http://127.0.0.1:1/api"}]\n', Verdict.WARN, "unquoted-json"),
        ("THIS IS NO ENV FILE\n", Verdict.FAIL, "the env file describes no network"),
        (None, Verdict.FAIL, "the env file cannot be read: No such file"),
    ],
)
async def test_env_files(tmp_path: Path, text: str | None, verdict: Verdict, cause: str) -> None:
    path = tmp_path / "env"
    if text is not None:
        path.write_text(text)
    checks = await checks_of(Settings(env_path=path, deadline_seconds=2))
    check = checks["env-file"]
    assert check.verdict is verdict
    assert check.cause.startswith(cause)
    assert check.next
    if verdict is Verdict.FAIL:
        assert checks["directory"].cause == "the env file describes no network"


async def test_an_env_file_that_is_not_loaded(
    nymproxy_localnet: BackgroundLocalnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIGURED", "true")
    monkeypatch.setenv("NYM_APIS", json.dumps([{"url": nymproxy_localnet.directory_url}]))
    monkeypatch.setenv("NYM_API", nymproxy_localnet.directory_url)
    monkeypatch.setenv("NETWORK_NAME", "local")
    check = (await checks_of(Settings(env_path=nymproxy_localnet.env_file)))["env-file"]
    assert check.verdict is not Verdict.OK


def test_the_command_line(
    nymproxy_localnet: BackgroundLocalnet, capsys: pytest.CaptureFixture[str]
) -> None:
    env = str(nymproxy_localnet.env_file)
    assert main(["doctor", "-e", env]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ORDER) + 1
    for name, line in zip(ORDER, lines[:-1], strict=True):
        verdict, found, *cause = line.split()
        assert found == name
        assert Verdict(verdict)
        assert cause
    assert lines[-1].startswith(f"{len(ORDER)} checks: ")
    with listening() as port:
        assert main(["doctor", "-e", env, "--listen-port", str(port)]) == 1
    out = capsys.readouterr().out
    assert f"{port} cannot be listened on: address already in use" in out
    assert f"next: see who has it (ss -ltnp 'sport = :{port}')" in out


def test_json_fits_its_schema_and_holds_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = closed_port()
    env = env_file(tmp_path, f"http://user:hunter2@127.0.0.1:{closed}/secret-path")
    arguments = ["-e", str(env), "-g", UNKNOWN_GATEWAY, "-u", f"localhost:{closed}"]
    assert main(["doctor", "--json", *arguments]) == 1
    out = capsys.readouterr().out
    schema = files("nymproxy_migrate") / "schemas/doctor.schema.json"
    document = json.loads(out)
    jsonschema.validate(document, json.loads(schema.read_text()))
    assert [check["name"] for check in document["checks"]] == list(ORDER)
    for secret in ("hunter2", "127.0.0.1", "localhost", str(closed), "secret", UNKNOWN_GATEWAY):
        assert secret not in out
    assert main(["doctor", *arguments]) == 1
    text = capsys.readouterr().out
    assert f"asked: 127.0.0.1:{closed}" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["-g", "no-gateway"],
        ["-u", "no-port"],
        ["-u", "::1:80"],
        ["--listen-port", "0"],
        ["--timeout", "0"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
