"""The templates in ``deploy/``: their own parsers read them, and the commands take their lines."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import tree_sitter
import tree_sitter_containerfile
from ruamel.yaml import YAML

from nymproxy.cli import client as client_command
from nymproxy.cli import run as run_command
from nymproxy.cli import server as server_command
from nymproxy.cli.configuration import load
from nymproxy.cli.passphrase import key_passphrase
from nymproxy.cli.program import run
from nymproxy.cli.settings import ServerSettings
from nymproxy.memory_account import MemoryAccount
from nymproxy.operating.metrics import Metrics
from tests.operating.pretended import Made, supervised

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM = "/usr/local/bin/nymproxy"
HIGHEST_EXPOSURE = 2.0
NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here"
)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the commands were given, in place of running."""
    taken: list[object] = []

    def take(given: object, *_: object) -> None:
        taken.append(given)

    for module in (client_command, server_command, run_command):
        monkeypatch.setattr(module, "run", take)
    return taken


def command_of(unit: Path) -> list[str]:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return shlex.split(parser["Service"]["ExecStart"])


def yaml_documents(path: Path) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(path.read_text()))


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_command_of_a_unit_is_one_of_ours(
    unit: Path, taken: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NYMPROXY_SERVER_UPSTREAM_TCP_ADDRESS", "127.0.0.1:22")
    monkeypatch.setenv("NYMPROXY_CLIENT_SERVER_ADDRESS", "A.b@c")
    program, *arguments = command_of(unit)
    assert program == PROGRAM
    assert run(arguments) == 0
    assert len(taken) == 1


def test_servers_get_the_passphrase_of_their_keys_as_a_credential(
    tmp_path: Path, taken: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for unit in SERVICES:
        text = unit.read_text()
        loaded = dict(re.findall(r"^LoadCredential=([\w-]+):(/\S+)$", text, re.MULTILINE))
        variables = dict(re.findall(r"^Environment=(\w+)=(\S+)$", text, re.MULTILINE))
        if unit.name == "nymproxy-client.service":
            assert not loaded
            continue
        ((credential, path),) = loaded.items()
        assert path.startswith("/etc/nymproxy/")
        # What systemd does: a file of mode 0400 in a directory of the service's own.
        file = tmp_path / credential
        file.write_text("of the keys\n")
        file.chmod(0o400)
        (name,) = variables
        given = variables[name].replace("%d", str(tmp_path))
        monkeypatch.setenv(name, given)
        settings = tmp_path / "nymproxy.toml"
        settings.write_text('[[server]]\nname = "s"\nupstream = "127.0.0.1:22"\n')
        (server,) = load(settings, {name: given}, {}).servers
        monkeypatch.setenv("NYMPROXY_SERVER_UPSTREAM_TCP_ADDRESS", "127.0.0.1:22")
        assert run(["server", "-u", "127.0.0.1:22"]) == 0
        for each in (server.settings, taken[-1]):
            assert isinstance(each, ServerSettings)
            assert key_passphrase(each.key_passphrase_file, {}) == "of the keys"
        file.unlink()


@NEEDS_SYSTEMD
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """Where the program is, is for the machine to say."""
    for unit in UNITS:
        text = unit.read_text().replace(PROGRAM, shutil.which("true") or "/bin/true")
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "nymproxy" in line]
    assert ours == []


@NEEDS_SYSTEMD
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_units_expose_little(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"exposure level for \S+ ([\d.]+)", done.stdout)
    assert found is not None
    assert float(found.group(1)) < HIGHEST_EXPOSURE


@pytest.mark.parametrize(
    "path",
    [DEPLOY / "nymproxy.toml", DEPLOY / "container" / "nymproxy.toml"],
    ids=lambda path: str(path.relative_to(DEPLOY)),
)
def test_settings_can_be_used(path: Path) -> None:
    configuration = load(path, {}, {})
    assert all(each.settings.config_dir for each in configuration.servers)


def test_the_containerfile_parses_and_its_commands_are_ours(taken: list[object]) -> None:
    source = (DEPLOY / "container" / "Dockerfile").read_bytes()
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_containerfile.language()))
    assert not parser.parse(source).root_node.has_error
    text = source.decode()
    assert re.search(r"^USER (?!0|root)", text, re.MULTILINE)
    words = {
        name: json.loads(value)
        for name, value in re.findall(r"^.*?(ENTRYPOINT|CMD) (\[.*\])$", text, re.MULTILINE)
    }
    assert words["ENTRYPOINT"] == ["nymproxy"]
    assert run([*words["CMD"], "-c", str(DEPLOY / "nymproxy.toml")]) == 0
    assert len(taken) == 1
    (check,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", text, re.MULTILINE)
    assert json.loads(check) == ["nymproxy", "status"]
    for copied in re.findall(r"^COPY ([^-].*) \S+$", text, re.MULTILINE):
        assert all((DEPLOY.parent / each).exists() for each in copied.split())


def test_compose_mounts_what_is_there() -> None:
    (document,) = yaml_documents(DEPLOY / "container" / "compose.yaml")
    service = document["services"]["nymproxy"]
    folder = DEPLOY / "container"
    assert (folder / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    settings, state = service["volumes"]
    assert (folder / settings.split(":")[0]).exists()
    assert state.split(":")[0] in document["volumes"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]


def test_the_manifest_runs_its_own_settings(tmp_path: Path, taken: list[object]) -> None:
    settings, claim, deployment = yaml_documents(DEPLOY / "kubernetes" / "nymproxy.yaml")
    file = tmp_path / "nymproxy.toml"
    file.write_text(settings["data"]["nymproxy.toml"])
    configuration = load(file, {}, {})
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert run(container["args"]) == 0
    assert taken == [Path("/etc/nymproxy/nymproxy.toml")]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert configuration.value("metrics") == f"0.0.0.0:{ports['metrics']}"
    probes = [container[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe")]
    assert [each["path"] for each in probes] == ["/healthz", "/readyz"]
    mounted = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert set(mounted.values()) == set(volumes)
    (server,) = configuration.servers
    kept = volumes[mounted[str(Path(str(server.settings.config_dir)).parent)]]
    assert kept["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    document = json.loads((DEPLOY / "grafana" / "nymproxy.json").read_bytes())
    expressions = [target["expr"] for panel in document["panels"] for target in panel["targets"]]
    made = Made()
    async with supervised(made.plan()) as supervisor:
        metrics = Metrics(lambda: list(supervisor.forwards.values()), MemoryAccount())
        known = _families(metrics.answer().body.decode())
    assert len(expressions) > 10
    for expression in expressions:
        for name in re.findall(r"\b(?:nymproxy|process)_\w+", expression):
            assert re.sub(r"_bucket$", "", name) in known, name


def _families(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
