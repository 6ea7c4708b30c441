"""``nymproxy top``: a live view of a process that runs."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nymproxy.cli.operator import ControlSocket

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

_BARS = "▁▂▃▄▅▆▇█"
_KEPT = 40


def sparkline(values: list[float | None]) -> str:
    """Return values as bars, of which the highest is full; what was not measured is a space."""
    highest = max((each for each in values if each is not None), default=0.0)
    return "".join(
        " " if each is None else _BARS[int((len(_BARS) - 1) * each / highest) if highest else 0]
        for each in values
    )


class View:
    """Makes pictures of one status after another."""

    def __init__(self) -> None:
        self._before: dict[str, dict[str, Any]] = {}
        self._at = 0.0
        self._trips: dict[str, deque[float | None]] = {}

    def picture(self, status: dict[str, Any], now: float) -> RenderableType:
        """Return the picture of a status, with rates since the one before."""
        seconds, self._at = now - self._at, now
        table = Table(
            "forward", "state", "sessions", "to peer", "from peer", "clients", "round trip"
        )
        sessions = Table("session", "wire", "seconds", "to peer", "from peer")
        for each in status["forwards"]:
            name = each["forward"]
            before = self._before.get(name, each)
            self._before[name] = each
            table.add_row(
                f"{each['role']} {name}",
                Text("ready", "green") if each["ready"] else Text(each["status"], "red"),
                str(each["sessions"]),
                _rate(each, before, "bytes_to_peer", seconds),
                _rate(each, before, "bytes_from_peer", seconds),
                f"{each['mixnet_clients_ready']}/{each['mixnet_clients']}",
                self._trip(name, each, before),
            )
            for one in each["running_sessions"]:
                sessions.add_row(
                    f"{name}/{one['number']}",
                    one["protocol"],
                    f"{one['seconds']:.0f}",
                    f"{one['bytes_to_peer']:,}",
                    f"{one['bytes_from_peer']:,}",
                )
        state = "ready" if status["ready"] else f"NOT READY: {status['why_not_ready']}"
        return Group(Text(state, "bold"), table, *([sessions] if sessions.row_count else []))

    def _trip(self, name: str, each: dict[str, Any], before: dict[str, Any]) -> str:
        """Return the round trips since the picture before, behind those of earlier ones."""
        count = sum(each["round_trips"].values()) - sum(before["round_trips"].values())
        total = each["round_trip_seconds"] - before["round_trip_seconds"]
        trips = self._trips.setdefault(name, deque(maxlen=_KEPT))
        trips.append(total / count if count > 0 else None)
        last = "" if trips[-1] is None else f" {trips[-1]:.2f} s"
        return sparkline(list(trips)) + last


def _rate(each: dict[str, Any], before: dict[str, Any], key: str, seconds: float) -> str:
    moved = max(0, each[key] - before[key])
    return f"{moved / seconds / 1000:.1f} kB/s" if seconds > 0 else ""


def run(path: Path, *, interval_seconds: float, count: int | None) -> None:
    """Show the process until interrupted, or so many times.

    Raises:
        NetworkError: nobody answers.
    """
    control, view = ControlSocket(path), View()
    shown = 0
    with Live(console=Console(), auto_refresh=False, screen=count is None) as live:
        while True:
            live.update(view.picture(control.status(), time.monotonic()), refresh=True)
            shown += 1
            if shown == count:
                break
            time.sleep(interval_seconds)
    if not live.console.is_terminal:
        live.console.print()  # the end of the last line
