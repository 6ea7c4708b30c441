"""Parity with the old programs on the legacy side; here with programs that behave as they do."""

from __future__ import annotations

import json
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from nymproxy.testing import workloads
from nymproxy.testing.old_programs import old_client
from nymproxy.testing.processes import ChildFailed
from nymproxy_migrate.cli import main
from nymproxy_migrate.parity.compared import OldPrograms, find_old, in_words
from nymproxy_migrate.parity.model import Side
from nymproxy_migrate.parity.planned import Flags
from nymproxy_migrate.parity.stage import Stage, localnet_stage
from nymproxy_migrate.refused import Refused
from tests.legacy.addresses import some_address
from tests.migrate.old_programs import install


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the tool's own


@pytest.fixture
def old(tmp_path: Path) -> OldPrograms:
    folder = tmp_path / "old"
    folder.mkdir()
    return OldPrograms(*install(folder))


_RECORDS = """#!/bin/sh
echo "$HOME $*" > "$0.arguments"
echo 'INFO Client created: A.B@C' >&2
echo 'INFO Starting loop cover traffic stream' >&2
exec sleep 60
"""


def recorded(program: Path) -> list[str]:
    return program.with_name(f"{program.name}.arguments").read_text().split()


async def test_how_the_old_programs_are_started(old: OldPrograms, tmp_path: Path) -> None:
    for path in (old.client, old.server):
        path.write_text(_RECORDS)
    flags = Flags({Side.LEGACY: ("--close-timeout=9",)}, {Side.LEGACY: ("--ours",)})
    stage = Stage(Path("/env"), "bare", tmp_path, flags, old)
    async with (
        stage.server(Side.LEGACY, "h:1") as server,
        stage.client("one", Side.LEGACY, server.address) as client,
    ):
        assert server.address == "A.B@C"
        assert client.target is not None
        home, *given = recorded(old.server)
        assert (home, given) == (
            str(tmp_path),
            ["-u", "h:1", "-c", "/legacy-server.config", "-e", "/env"],
        )
        home, *given = recorded(old.client)
        wanted = f"-s A.B@C -e /env --listen-port {client.target.port} --close-timeout=9"
        assert (home, given) == (str(tmp_path / "one"), wanted.split())
    assert not psutil.pid_exists(client.process.pid)


@pytest.mark.exhaustive
async def test_the_legacy_side_is_the_old_programs(old: OldPrograms) -> None:
    flags = Flags(
        {Side.LEGACY: ("--client-pool-reserve=1",), Side.STREAM: ()}, dict.fromkeys(Side, ())
    )
    async with localnet_stage("bare", flags, old) as stage:
        legacy, stream = stage.ways
        for way in (legacy, stream):
            assert way.upstream is not None
            way.upstream.lead_to(way.http)
            assert (await workloads.round_trips(way.target, 2, seed=1)).ok
        commands = {
            (side, role): psutil.Process(pid).cmdline()
            for side, way in zip(Side, stage.ways, strict=True)
            for role, pid in way.processes.items()
        }
        assert str(old.client) in commands[Side.LEGACY, "client"]
        assert "--client-pool-reserve=1" in commands[Side.LEGACY, "client"]
        assert str(old.server) in commands[Side.LEGACY, "server"]
        assert "--wire" in commands[Side.STREAM, "client"]
        assert (stage.folder / "legacy-server.config" / "public_identity.pem").is_file()


def test_which_programs(old: OldPrograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"no nym-proxy-client is on PATH; name one with --old-cl"):
        find_old(None, None)
    with pytest.raises(Refused, match=r"plain is no program; name one with --old-server"):
        find_old(old.client, tmp_path / "plain")
    monkeypatch.setenv("PATH", str(old.client.parent))
    assert find_old(None, None) == old
    monkeypatch.chdir(old.client.parent)
    assert find_old(Path(old.client.name), None) == old


def test_what_is_compared_is_plain() -> None:
    ours = in_words(None, are_servers=False)
    assert ours[Side.LEGACY].endswith("which is not the old program")
    found = in_words(OldPrograms(Path("/a"), Path("/b")), are_servers=False)
    assert found[Side.LEGACY] == "the old programs: /a and /b"
    assert found[Side.STREAM] == ours[Side.STREAM]
    assert "--legacy" in in_words(None, are_servers=True)[Side.LEGACY]


async def test_a_program_that_ends_at_once(tmp_path: Path) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        async with old_client(Path("/bin/false"), "env", "A", tmp_path):
            pytest.fail("it is not ready")
    assert caught.group_contains(ChildFailed, match="ended before it was ready")


def test_old_programs_need_a_localnet(old: OldPrograms, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("")
    address = str(some_address())
    servers = ["--legacy", address, "--stream", address, "--env", str(tmp_path / "env")]
    assert main(["parity", "--old-client", str(old.client), *servers]) == 2


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_a_whole_run(old: OldPrograms, tmp_path: Path) -> None:
    output = tmp_path / "parity.json"
    programs = ["--old-client", str(old.client), "--old-server", str(old.server)]
    main(["parity", "--quick", *programs, "--json", "-o", str(output)])
    document = json.loads(output.read_text())
    assert document["compared"]["legacy"] == f"the old programs: {old.client} and {old.server}"
    assert document["command"].startswith("nymproxy-migrate parity --quick --old-client /")
    values = {row["name"]: row for row in document["rows"]}
    assert values["download.digest"]["legacy"] is True
    assert values["linkability.sender_tags"]["legacy"] == 3
