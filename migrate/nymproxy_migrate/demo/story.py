"""The story of a migration, from the first look to the way back; only the copy is changed."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy import NymError, __version__
from nymproxy._error_groups import first_cause
from nymproxy_migrate import diff, outputs, plan, rollback
from nymproxy_migrate.apply import apply
from nymproxy_migrate.changes import changes_of, left_for_a_human
from nymproxy_migrate.demo import show
from nymproxy_migrate.demo.stage import (
    CLIENT_SCRIPT,
    PROFILE,
    SERVER_SCRIPT,
    Stage,
    stage,
    work_through,
)
from nymproxy_migrate.demo.tree import fingerprint
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.parity.measure import Settings
from nymproxy_migrate.parity.run import Parity
from nymproxy_migrate.parity.run import run as run_parity
from nymproxy_migrate.parity.sides import Sizes
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.report import html
from nymproxy_migrate.scan import scan

if TYPE_CHECKING:
    from nymproxy.testing.workloads import WorkloadResult

SIZES = Sizes(
    download_bytes=2_000_000, upload_bytes=1_000_000, connections=20, connection_bytes=20_000
)
"""What the comparison carries each way."""


@dataclass(slots=True)
class Story:
    """One run of the demo.

    Attributes:
        tree: the copy of the deployment.
        folder: plan, settings, logs, HOME of the scripts.
        report: where the parity report goes, as HTML.
        problems: what did not hold; the demo succeeds only if this stays empty.
    """

    tree: Path
    folder: Path
    report: Path | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """Where runs are recorded."""
        return self.folder / "state"

    def tell(self) -> None:
        """Do all steps, in order."""
        original = fingerprint(self.tree)
        self.look()
        self.plan()
        self.rewrite()
        anyio.run(self.run_the_commands)
        self.parity()
        self.go_back(original)

    def hold(self, holds: bool, otherwise: str) -> None:
        """Note a problem unless something holds."""
        if not holds:
            self.problems.append(otherwise)
            show.say(f"   WRONG: {otherwise}")

    def look(self) -> None:
        """Find every use of the old proxies."""
        show.step(1, "What is there?", "nymproxy-migrate scan")
        result = scan([self.tree], root=self.tree)
        show.by_code(result)
        self.hold(bool(result.findings), "nothing was found")

    def plan(self) -> None:
        """Write down what would change, and what a human must do."""
        show.step(2, "What would change?", "nymproxy-migrate plan -o migration.json")
        options = ScanOptions()
        result = scan([self.tree], options, root=self.tree)
        (self.folder / "migration.json").write_text(plan.render(result, options, __version__))
        changes = changes_of(result)
        show.say(f"   {len(changes)} files to rewrite. Two of the diffs, without the others:")
        shown = [change for change in changes if change.path in {SERVER_SCRIPT, CLIENT_SCRIPT}]
        for line in diff.unified(shown).decode().splitlines():
            if line.startswith(("+", "-")):
                show.say(f"     {line}")
        show.say("   For a human:")
        show.short(left_for_a_human(result.findings), result)

    def rewrite(self) -> None:
        """Apply exactly that plan."""
        show.step(3, "Change it.", "nymproxy-migrate rewrite --plan migration.json")
        changes = plan.read(self.folder / "migration.json", self.tree).changes
        apply(self.tree, changes, self.state)
        for change in changes:
            show.say(f"   rewritten: {change.path}")
        self.hold(bool(changes), "nothing was rewritten")

    def finish(self) -> None:
        """Move the clients whose server is known to the stream protocol."""
        show.step(
            5,
            "The server has moved, so its clients can follow.",
            "nymproxy-migrate rewrite --write --to stream --decide NYM063=stream scripts",
        )
        options = ScanOptions(to="stream", decisions={"NYM063": "stream"})
        changes = changes_of(scan([self.tree / "scripts"], options, root=self.tree))
        apply(self.tree, changes, self.state)
        for change in changes:
            show.say(f"   rewritten: {change.path}")

    async def run_the_commands(self) -> None:
        """Run the rewritten scripts unchanged, with both wires one after the other."""
        show.step(4, "Start the rewritten commands, on a mixnet on this machine.")
        show.say(f"   (with --profile {PROFILE}: no cover traffic and no mix delays, to be quick)")
        async with stage(self.tree, self.folder) as place:
            show.say(f"   {SERVER_SCRIPT}: ready; serves old and new clients at one Nym address")
            self.hold(place.config_dir.is_dir(), "the server's keys are somewhere else than before")
            show.say("   its keys are where the old binary kept them: $HOME + --config-dir")
            results = {"auto": await self.work(place, "auto")}
            self.finish()
            results["stream"] = await self.work(place, "stream")
            show.table(results)

    async def work(self, place: Stage, wire: str) -> list[WorkloadResult]:
        """Work through one client, and check it."""
        show.say(f"   {CLIENT_SCRIPT} (--wire {wire}):")
        results = await work_through(place, wire, show.workload)
        for result in results:
            self.hold(result.ok, f"{result.name} through --wire {wire}")
        return results

    def parity(self) -> None:
        """Compare both ways with each other, at full speed."""
        show.step(6, "Does the new way at least what the old one did?", "nymproxy-migrate parity")
        report = anyio.run(run_parity, Parity(Settings(sizes=SIZES), show.progress))
        show.parity(report)
        for row in report.worse:
            self.hold(False, f"{row.title} is worse")
        if self.report is not None:
            self.report.parent.mkdir(parents=True, exist_ok=True)
            outputs.write(self.report, html.render(report).encode())
            show.say(f"   the whole report, with plots: {self.report}")

    def go_back(self, original: str) -> None:
        """Undo both runs, the last one first."""
        show.step(7, "And back again.", "nymproxy-migrate rollback    (twice: the last run first)")
        for _ in range(2):
            run, restored = rollback.roll_back(self.tree, base=self.state)
            show.say(f"   rolled back {run.name}: {restored} files")
        self.hold(fingerprint(self.tree) == original, "the tree is not what it was")
        show.say(f"   names, modes and bytes of all files: {original[:16]}..., as before")


def run_demo(deployment: Path, report: Path | None = None) -> bool:
    """Run the demo on a copy of a deployment, and tell whether everything held.

    Args:
        deployment: the example deployment; it is not changed.
        report: where to write the parity report, as HTML.

    Raises:
        Refused: there is no such deployment, or a process of the demo did not start.
    """
    if not (deployment / SERVER_SCRIPT).is_file():
        raise Refused(f"{deployment}: not the example deployment, which is the default")
    with tempfile.TemporaryDirectory(prefix="nymproxy-migrate-demo-") as name:
        tree, folder = Path(name, "deployment"), Path(name, "run")
        shutil.copytree(deployment, tree)
        folder.mkdir()
        show.say(f"A migration, on a copy of {deployment}")
        story = Story(tree, folder, report)
        try:
            story.tell()
        except* NymError as group:
            raise Refused(f"the demo stopped: {first_cause(group)}") from group
    if story.problems:
        show.say(f"\nSOMETHING WENT WRONG: {'; '.join(story.problems)}")
    else:
        show.say("\nEverything held.")
    return not story.problems
