"""``nymproxy demo``: its story with less work, and what it says when something went wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nymproxy.cli.demo import steps, story
from nymproxy.cli.demo.report import as_json, as_table, cpu_share
from nymproxy.cli.demo.steps import PairRun, Step
from nymproxy.testing.counters import NetworkTotals, UpstreamTotals
from nymproxy.testing.stage import StagedNetwork
from nymproxy.testing.workloads import WorkloadResult

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy.localnet.faults import FaultPlan


@pytest.mark.parametrize(
    "is_lost", [False, pytest.param(True, marks=pytest.mark.exhaustive)], ids=["kept", "lost"]
)
def test_the_demo_does_all_its_work_and_reports_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    *,
    is_lost: bool,
) -> None:
    taken_away: list[FaultPlan] = []
    if not is_lost:  # it takes several seconds until a stream has found its way
        monkeypatch.setattr(
            StagedNetwork, "set_faults", lambda _, faults: taken_away.append(faults)
        )
    monkeypatch.setattr(steps, "DOWNLOAD_BYTES", 20_000)
    monkeypatch.setattr(steps, "UPLOAD_BYTES", 20_000)
    monkeypatch.setattr(steps, "CONNECTIONS_AT_ONCE", 2)
    monkeypatch.setattr(steps, "CONNECTION_BYTES", 1_000)
    assert story.run_demo(story.DemoSettings(as_json=True, keep_logs=tmp_path / "logs"))
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert report["ok"] is True
    assert [pair["wire"] for pair in report["pairs"]] == ["legacy", "stream"]
    for pair in report["pairs"]:
        assert all(step["ok"] for step in pair["steps"])
        assert len(pair["steps"]) == len(steps.WORK)
        assert pair["upstream"]["connections"] > 0
        download = next(step for step in pair["steps"] if step["name"] == "download")
        assert download["payload_bytes"] == 20_000
        assert download["wire_bytes"] > 20_000
    assert is_lost or taken_away[0].events[0].node in ("gateway-0", "gateway-1", "gateway-2")
    assert report["lost_gateway"]["ok"] is True
    assert report["lost_gateway"]["payload_bytes"] == 20_000
    assert output.err.count("all right") == 2 * len(steps.WORK)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir())


def step(*, ok: bool = True, payload_bytes: int = 20_000, cpu_seconds: float | None = 1.0) -> Step:
    result = WorkloadResult(
        name="download",
        ok=ok,
        payload_bytes=payload_bytes,
        seconds=2.0,
        first_byte_seconds=0.25,
        connections=1,
        ends_of_data=1,
        problem=None if ok else "byte 7 differs",
    )
    return Step(result, NetworkTotals(), cpu_seconds, seconds=2.0)


LOSS = replace(step().result, progress=((0.25, 1), (0.5, 9_000), (7.0, 20_000)))
"""The download in which a gateway was lost."""


def run(wire: str, *each: Step) -> PairRun:
    return PairRun(wire, each, UpstreamTotals(), identities=3)


def test_a_wrong_byte_is_said_in_both_forms() -> None:
    runs = [run("legacy", step()), run("stream", step(ok=False))]
    table = as_table(runs, LOSS)
    assert "WRONG: byte 7 differs" in table
    assert "SOMETHING WENT WRONG" in table
    report = json.loads(as_json(runs, LOSS, "bare"))
    assert (report["ok"], report["pairs"][0]["ok"], report["pairs"][1]["ok"]) == (
        False,
        True,
        False,
    )
    assert report["pairs"][1]["steps"][0]["problem"] == "byte 7 differs"
    assert "ok: FAILED" not in story._describe(runs[0].steps[0])
    assert "FAILED, byte 7 differs" in story._describe(runs[1].steps[0])


def test_small_amounts_show_no_rates_and_an_unknown_cpu_time_no_share() -> None:
    small = step(payload_bytes=0, cpu_seconds=None)
    assert cpu_share(small) is None
    assert small.wire_bytes_per_payload_byte is None
    silent = replace(small.result, first_byte_seconds=None)
    table = as_table([run("legacy", replace(small, result=silent))], LOSS)
    assert "kB/s" not in table
    assert "Every byte arrived" in table
    assert "kB/s" in as_table([run("legacy", step(cpu_seconds=None))], LOSS)


def test_the_table_fits_80_columns() -> None:
    large = step(payload_bytes=50_000_000)
    many = replace(large, network=replace(large.network, packets_from_clients=1_234_567))
    named = replace(many, result=replace(many.result, name="10 downloads at once"))
    table = as_table([run("legacy", named, large), run("stream", named, large)], LOSS)
    assert max(len(line) for line in table.splitlines()) <= 80
    assert "10 downloads at once" in table
    assert table.count("1,234,567") == 2


def test_a_download_that_lost_its_gateway_is_told_with_its_pause() -> None:
    runs = [run("legacy", step()), run("stream", step())]
    assert "20,000 bytes, all right, in 2.0 s, with a pause of 6.5 s." in as_table(runs, LOSS)
    told = json.loads(as_json(runs, LOSS, "bare"))["lost_gateway"]
    assert told["longest_pause_seconds"] == 6.5
    cut = replace(step(ok=False).result, progress=())
    table = as_table(runs, cut)
    assert "taken away in a download: byte 7 differs" in table
    assert "SOMETHING WENT WRONG" in table
    assert json.loads(as_json(runs, cut, "bare"))["ok"] is False
