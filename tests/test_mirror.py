"""Every module has a test module of its own, or is listed here with what tests it and why so.

A test module is a module's own if it is named after it (``test_outbox.py``, ``test_outbox_x.py``)
or imports it by its own path; that a package imports it does not count. What holds declarations
only (constants, enums, records without a method) has nothing to test.
"""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A deployment that the demo migrates: somebody else's program, so to say.
DEMO_TREE = ROOT / "migrate" / "nymproxy_migrate" / "demo" / "deployment"

# Where tests of a room are whose folder is not called as the room.
FOLDERS = {"nymproxy": "tests", "nymproxy_migrate": "migrate", "mixnet": "client"}

# Patterns of modules, with the tests that reach them, and why these are not about one module. Take
# an entry off when its modules have test modules: the test below says so.
REACHED: dict[str, tuple[str, str]] = {
    "nymproxy._httpcore_backend": ("directory/test_client.py", "how DirectoryClient connects"),
    # The channel: one machine whose parts have no meaning alone.
    "nymproxy.channel.driver": ("channel/test_mux.py", "the task that ChannelMux runs"),
    "nymproxy.channel.drivers": ("channel/test_mux.py", "the tasks that ChannelMux runs"),
    "nymproxy.channel.stray_answers": ("channel/test_table.py", "what ChannelTable lets be said"),
    "nymproxy.channel.strays": ("channel/test_mux.py", "a task that ChannelMux runs"),
    "nymproxy.mixnet.traffic.copies": (
        "machine/test_copies.py",
        "what they bring shows a whole client",
    ),
    "nymproxy.mixnet.traffic.surb_requests": (
        "traffic/test_replies.py",
        "when a ReplyController asks, and for how many",
    ),
    "nymproxy.mixnet.gateway.opening": (
        "gateway/test_protocol.py",
        "the first half of a connection",
    ),
    "nymproxy.mixnet.machine.ahead": (
        "machine/test_packets.py",
        "what is prepared shows in the packets",
    ),
    "nymproxy.mixnet.machine.arrivals": (
        "machine/test_client_machine.py",
        "what a client makes of what is pushed to it",
    ),
    "nymproxy.mixnet.machine.live_peers": (
        "machine/test_client_machine.py",
        "whose SURBs a client asks for when the keys rotate",
    ),
    "nymproxy.mixnet.machine.outages": (
        "machine/test_client_machine.py",
        "how long a client was without its gateway",
    ),
    "nymproxy.stream.nx2.movable": ("stream/nx2/test_moves.py", "a part of a dialer's link"),
    "nymproxy.mixnet.machine.ports": ("machine/test_packets.py", "what a maker of packets does"),
    "nymproxy.mixnet.client.watching": ("legacy/test_roster.py", "what a roster's entries are"),
    # Sessions and identities are tasks between a socket and a client.
    "nymproxy.legacy.refusing": ("legacy/test_proxies.py", "needs a server, and a peer"),
    "nymproxy.legacy.upstream_dialer": ("legacy/test_proxies.py", "needs a server, an upstream"),
    # Commands are tested as their users call them.
    "nymproxy.cli.localnet": ("cli/test_commands.py", "the command itself"),
    "nymproxy.cli.operator_commands": ("cli/test_operator.py", "the commands themselves"),
    "nymproxy.cli.check": ("cli/test_configuration.py", "the command itself"),
    "nymproxy.cli.running": ("cli/test_commands.py", "signals and ready lines of processes"),
    "nymproxy.operating.announcement": ("operating/test_supervisor.py", "what a supervisor tells"),
    "nymproxy.cli.jobs": ("cli/test_program.py", "what runs in a child, as a whole process"),
    "nymproxy.legacy.admission": ("legacy/test_sessions.py", "the sessions of a server"),
    "nymproxy.legacy.pooled_client": ("legacy/test_client_pool.py", "a part of ClientPool"),
    # A mixnet of nodes is tested as its clients see it: directory, gateway, packets, faults.
    "nymproxy.localnet.*": ("localnet", "parts of a running network"),
    "nymproxy.testing._exchange": ("testing/test_workloads.py", "a connection of a workload"),
    "nymproxy.testing._stream_calls": ("testing/test_checks.py", "what the checks are made of"),
    "nymproxy.testing._memory_*": ("testing/test_memory.py", "parts of MemoryNetwork"),
    "nymproxy.testing.pytest_plugin": ("testing/test_localnet_fixture.py", "pytest loads it"),
    # nymproxy-migrate: tests put a tree in front of it, and look at what it says and writes.
    "nymproxy_migrate.*": ("migrate", "a step of scan, plan, rewrite or rollback"),
    "nymproxy_migrate.cli.*": ("migrate/test_cli.py", "the commands themselves"),
    "nymproxy_migrate.doctor.threads": ("migrate/doctor", "runs the doctor's checks"),
    "nymproxy_migrate.finders.*": ("migrate/test_corpus.py", "what it finds in a tree"),
    "nymproxy_migrate.formats.*": ("migrate/formats", "what is read in a file of the format"),
    "nymproxy_migrate.report.documents": ("migrate/test_schemas.py", "what all reports share"),
    "nymproxy_migrate.rewrite.*": ("migrate/test_write.py", "what it makes of a tree"),
    "nymproxy_migrate.rules.*": ("migrate/test_corpus.py", "what it says of a tree"),
    "nymproxy_migrate.workers.connections": ("migrate/workers/test_pool.py", "starts the workers"),
    "nymproxy_migrate.workers.piped": ("cli/test_windows.py", "what takes their place on Windows"),
}


@cache
def _modules() -> dict[str, Path]:
    """All modules with code to test; a package's ``__init__`` and ``__main__`` are glue."""
    found = {}
    for base, package in ((ROOT, "nymproxy"), (ROOT / "migrate", "nymproxy_migrate")):
        for path in sorted((base / package).rglob("*.py")):
            if path.is_relative_to(DEMO_TREE) or path.stem in ("__init__", "__main__"):
                continue
            if _has_functions(path):
                found[".".join(path.relative_to(base).with_suffix("").parts)] = path
    return found


def _has_functions(path: Path) -> bool:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return any(isinstance(node, functions) for node in ast.walk(ast.parse(path.read_text())))


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@cache
def _tested() -> set[str]:
    """The modules that have test modules of their own."""
    tests = [path for path in (ROOT / "tests").rglob("*.py") if "corpus" not in path.parts]
    imported = set().union(*(_imports(path) for path in tests))
    names = {(path.parent.name, path.stem) for path in tests}

    def is_named_after(module: str) -> bool:
        *rooms, name = module.split(".")
        stem = "test_" + name.lstrip("_")
        return any(
            folder in (FOLDERS.get(rooms[-1], rooms[-1]), FOLDERS.get(rooms[0]))
            and (found == stem or found.startswith(f"{stem}_"))
            for folder, found in names
        )

    return {module for module in _modules() if module in imported or is_named_after(module)}


def _entry_of(module: str) -> str | None:
    """The most specific pattern for a module. A star stands for names without a dot."""
    fitting = [
        pattern
        for pattern in REACHED
        if fnmatch(module, pattern) and pattern.count(".") == module.count(".")
    ]
    return max(fitting, key=len, default=None)


def test_every_module_is_tested_by_its_own_test_module_or_listed() -> None:
    untested = _modules().keys() - _tested()
    assert {module for module in untested if _entry_of(module) is None} == set(), (
        "write test modules for these; if their tests must be about more, list them here"
    )


def test_the_list_has_nothing_that_needs_it_no_more() -> None:
    untested = _modules().keys() - _tested()
    needed = {_entry_of(module) for module in untested}
    assert REACHED.keys() - needed == set(), "take these off: all their modules have test modules"


def test_what_the_list_names_is_there() -> None:
    missing = {test for test, _ in REACHED.values() if not (ROOT / "tests" / test).exists()}
    assert missing == set()
