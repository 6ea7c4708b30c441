"""What is not declared to be a shell loads no I/O: a machine can be used, and tested, alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

IO_MODULES = (
    "anyio", "fcntl", "httpcore", "httpx", "python_socks", "sqlite3", "trio",
    "websockets",
)  # fmt: skip

# The shells of each room: the modules that wait, or read and write files. A room's `__init__`
# re-exports only what is no shell, so nobody pays for I/O who imports a codec.
SHELLS: dict[str, set[str]] = {
    "nymproxy": {
        "_alarm", "_background_loop", "_background_task", "_dial", "_file_lock", "_home_loop",
        "_http_head", "_httpcore_backend", "_process_signals", "_signal", "_tcp_stream",
    },
    "nymproxy.channel": {"acceptor", "channel", "driver", "drivers", "failover", "mux", "strays"},
    "nymproxy.forward": {"forwarder", "listener", "sockets"},
    "nymproxy.legacy": {
        "admission", "app_connections", "background", "client", "client_pool", "connector",
        "identities", "lasting", "pooled_client", "refusing", "roster", "server", "session",
        "upstream_dialer",
        "upstream_header",
    },
    "nymproxy.localnet": {
        "client_links", "delayer", "directory_server", "gateway_bandwidth", "gateway_clients",
        "gateway_door", "gateway_node", "gateway_session", "gateway_store", "hosts", "json_lines",
        "links", "listing", "network", "network_state", "nodes", "packet_receiver", "ports",
        "process", "running", "server_socket", "worker", "workers",
    },
    "nymproxy.mixnet": {"transport"},
    "nymproxy.mixnet.client": {"connecting", "group", "message_client", "roaming", "shell"},
    "nymproxy.mixnet.directory": {"client", "http_connection", "http_session", "keeper", "recent"},
    "nymproxy.mixnet.gateway": {
        "connection", "establishing", "link", "websocket", "websocket_messages",
    },
    "nymproxy.mixnet.machine": set(),
    "nymproxy.mixnet.messages": set(),
    "nymproxy.mixnet.sphinx": set(),
    "nymproxy.mixnet.storage": {
        "backup", "directory", "ephemeral", "identities", "locking", "registrations", "start",
    },
    "nymproxy.mixnet.traffic": set(),
    "nymproxy.testing": {
        "_exchange", "_memory_endpoint", "_stream_calls", "checks", "localnet", "memory",
        "old_programs", "processes", "stage", "upstream", "workloads",
    },
    "nymproxy.stream": {
        "asyncio_streams", "background", "client", "endpoint", "httpx_transport", "isolation",
        "listener", "stream", "tls",
    },
}  # fmt: skip

# The commands, and what keeps them running, are shells altogether.
_EXEMPT = ("nymproxy.cli", "nymproxy.operating", "nymproxy.__main__")

# A finder in front of all others refuses the I/O modules, so what needs one fails by itself and
# hides nothing of the next.
_PROBE = """
import importlib, json, sys
refused, names = json.load(sys.stdin)
assert not set(refused) & set(sys.modules)

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
found = {}
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as error:
        found[name] = str(error)
json.dump(found, sys.stdout)
"""


def _modules() -> list[str]:
    names = []
    for path in sorted((ROOT / "nymproxy").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not name.startswith(_EXEMPT):
            names.append(name)
    return names


def _room_of(name: str) -> str:
    """The most specific room that a module is in; a room's `__init__` belongs to the room."""
    while name not in SHELLS:
        name = name.rpartition(".")[0]
    return name


def sans_io_modules() -> set[str]:
    """The wire and the machines: every module of these rooms that is no shell."""
    rooms = {name: _room_of(name) for name in _modules()}
    return {
        name
        for name, room in rooms.items()
        if room in SHELLS and name.removeprefix(f"{room}.") not in SHELLS[room]
    }


@pytest.fixture(scope="module")
def shells() -> dict[str, str]:
    """The modules that load an I/O module, and which one."""
    # A measurement of coverage would load sqlite3 first.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }
    result = subprocess.run(
        [sys.executable, "-c", _PROBE],
        env=environment,
        input=json.dumps([IO_MODULES, _modules()]),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found: dict[str, str] = json.loads(result.stdout)
    assert all(module.partition(".")[0] in IO_MODULES for module in found.values()), found
    return found


@pytest.mark.parametrize("room", sorted(SHELLS))
def test_only_the_declared_shells_of_a_room_load_io(room: str, shells: dict[str, str]) -> None:
    found = {name: why for name, why in shells.items() if _room_of(name) == room}
    declared = {f"{room}.{name}" for name in SHELLS[room]}
    undeclared = {name: why for name, why in found.items() if name not in declared}
    assert not undeclared, f"{undeclared}: leave out the I/O, or declare a shell"
    assert declared == found.keys(), "declared as shells, but load no I/O (any more)"


def test_no_room_is_gone() -> None:
    assert SHELLS.keys() <= set(_modules())
