"""What the operator's commands show."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from nymproxy.cli.operator import ControlSocket, mean_round_trip, status_text
from nymproxy.cli.program import run
from nymproxy.cli.top import View, sparkline

if TYPE_CHECKING:
    from pathlib import Path


def status_of(*, ready: bool = True, carried: int = 1000, trips: int = 4) -> dict[str, Any]:
    reason = None if ready else "client ssh: reconnecting to the gateway"
    return {
        "ready": ready,
        "why_not_ready": reason,
        "seconds": 3725.0,
        "memory": {"held_bytes": 3 << 20, "limit_bytes": 64 << 20, "reclaimed_bytes": 0},
        "forwards": [
            {
                "forward": "ssh",
                "role": "client",
                "ready": ready,
                "fraction": 1.0 if ready else 0.7,
                "status": "ready" if ready else "reconnecting to the gateway",
                "blocked_by": None if ready else "gateway-unreachable",
                "sessions": 1,
                "sessions_begun": 5,
                "sessions_ended": {"finished": 4},
                "bytes_to_peer": carried,
                "bytes_from_peer": 2 * carried,
                "mixnet_clients": 2,
                "mixnet_clients_ready": 2,
                "gateways_lost": 0,
                "retransmissions": 3,
                "packets_sent": {"data": 15, "cover": 100},
                "lost_share": 0.05,
                "probe": {"answered": 2, "unanswered": 1, "last_seconds": 0.5},
                "round_trips": {"0.2": trips, "inf": 0},
                "round_trip_seconds": trips * 0.125,
                "running_sessions": [
                    {
                        "number": 5,
                        "protocol": "stream",
                        "seconds": 61.0,
                        "bytes_to_peer": 10,
                        "bytes_from_peer": 20,
                        "is_ending": False,
                    }
                ],
            }
        ],
    }


def test_a_status_for_people() -> None:
    text = status_text(status_of())
    assert text.startswith("ready; running for 1:02:05\n")
    assert "client ssh: ready" in text
    assert "5 begun; ended: 4 finished\n" in text
    assert "probe: 2 of 3 answered; 0.500 s\n" in text
    assert "session 5: stream, 0:01:01, 10 bytes to the peer" in text
    assert "round trip: 0.125 s on average" in text


def test_what_is_not_ready_says_how_far_it_is_and_what_blocks_it() -> None:
    text = status_text(status_of(ready=False))
    assert "client ssh: NOT READY (70%): reconnecting to the gateway" in text
    assert "blocked by: gateway-unreachable" in text


def test_a_network_that_loses_much_is_named() -> None:
    status = status_of()
    (forward,) = status["forwards"]
    assert "sent again" not in status_text(status)
    forward["lost_share"] = 0.33
    text = status_text(status)
    assert "  33% of its packets of the last seconds had to be sent again: the network" in text


def test_nothing_measured_has_no_mean() -> None:
    forward = status_of(trips=0)["forwards"][0]
    assert mean_round_trip(forward) is None


@pytest.mark.parametrize(
    ("values", "line"),
    [([], ""), ([None, 1.0, 2.0], " ▄█"), ([0.0], "▁"), ([None], " ")],
)
def test_sparklines(values: list[float | None], line: str) -> None:
    assert sparkline(values) == line


def test_the_view_shows_rates_between_two_looks() -> None:
    view = View()
    console = Console(width=120, file=io.StringIO())
    console.print(view.picture(status_of(), 10.0))
    console.print(view.picture(status_of(carried=5000, trips=8), 12.0))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "2.0 kB/s" in text
    assert "4.0 kB/s" in text
    assert "0.12 s" in text
    assert "ssh/5" in text


def test_in_a_pipe_the_last_line_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ControlSocket, "status", lambda _: status_of())
    assert run(["top", "--count", "2", "--interval", "0.1", "--control", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "ssh/5" in shown
    assert shown.endswith("\n")
    assert not shown.endswith("\n\n")


@pytest.mark.parametrize(
    "arguments", [["status"], ["top", "--count", "1"], ["sessions", "close", "7"]]
)
def test_nobody_at_the_socket_is_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--control", str(tmp_path / "none")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "was it started with --control" in line


def test_a_session_is_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sessions", "close", "x", "--control", str(tmp_path / "none")]) == 2
    assert "give NUMBER, or FORWARD/NUMBER" in capsys.readouterr().err
