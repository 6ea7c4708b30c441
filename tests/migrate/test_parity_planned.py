"""The commands that parity takes from a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.cli import main
from nymproxy_migrate.judged import Role
from nymproxy_migrate.parity import planned
from nymproxy_migrate.parity.model import Side, Verdict
from nymproxy_migrate.parity.planned import PlannedCommand
from nymproxy_migrate.refused import Refused
from tests.migrate.tools import ADDRESS

if TYPE_CHECKING:
    from pathlib import Path

CLIENT = f"nym-proxy-client -s {ADDRESS} --listen-port 9000 --client-pool-reserve 4\n"
SERVER = "nym-proxy-server -u 127.0.0.1:22 -c /srv/nym -e /etc/nym.env\n"


@pytest.fixture
def plan_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "client.sh").write_text(CLIENT)
    (root / "server.sh").write_text("HOME=/srv/home\n" + SERVER)
    monkeypatch.chdir(root)
    main(["plan", "-o", str(tmp_path / "plan.json")])
    return tmp_path / "plan.json"


def test_only_what_shapes_behaviour_is_kept(plan_file: Path) -> None:
    found = planned.commands_of(plan_file)
    assert PlannedCommand("client.sh", Role.CLIENT, ("--client-pool-reserve=4",)) in found
    assert PlannedCommand("server.sh", Role.SERVER, ("--accept=legacy,stream",)) in found


def test_a_plan_that_was_applied_is_run_as_well(plan_file: Path) -> None:
    before = planned.commands_of(plan_file)
    main(["rewrite", "--plan", str(plan_file)])
    assert planned.commands_of(plan_file) == before


def test_a_file_that_changed_otherwise_is_refused(plan_file: Path) -> None:
    (plan_file.parent / "tree/client.sh").write_text("# nothing any more\n")
    with pytest.raises(Refused, match="has changed since the plan was made"):
        planned.commands_of(plan_file)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"root": 1, "files": [1]}', "\x00"])
def test_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(Refused):
        planned.commands_of(path)


def test_choices_of_the_plan_are_those_of_the_stream_side() -> None:
    flags = planned.flags_of(
        [
            PlannedCommand("a", Role.CLIENT, ("--identity-mode=shared", "--close-timeout=3")),
            PlannedCommand("b", Role.SERVER, ("--accept=stream", "--close-to-legacy-clients")),
        ]
    )
    assert flags.clients[Side.LEGACY] == ("--close-timeout=3",)
    assert flags.clients[Side.STREAM] == ("--identity-mode=shared", "--close-timeout=3")
    assert flags.servers[Side.LEGACY] == ("--close-to-legacy-clients",)
    assert flags.servers[Side.STREAM] == ("--accept=stream", "--close-to-legacy-clients")


def test_the_reserve_is_the_one_of_the_command() -> None:
    flags = planned.flags_of([PlannedCommand("a", Role.CLIENT, ("--client-pool-reserve=7",))])
    assert flags.reserve(Side.STREAM) == 7
    assert planned.DEFAULT_FLAGS.reserve(Side.LEGACY) == 2


def test_what_does_not_run_is_named() -> None:
    rows = planned.rows_of(
        [
            PlannedCommand("a.sh", Role.CLIENT, ()),
            PlannedCommand("b.sh", Role.CLIENT, ("--close-timeout=3",)),
            PlannedCommand("c.sh", Role.CLIENT, (), ("--client-pool-reserve",)),
        ]
    )
    notes = {row.name: row.note for row in rows if row.verdict is Verdict.SKIPPED}
    assert set(notes) == {"plan.client_2", "plan.client_3", "plan.server_1"}
    assert notes["plan.client_2"].startswith("b.sh: its flags differ")
    assert "--client-pool-reserve" in notes["plan.client_3"]
