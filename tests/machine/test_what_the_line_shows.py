"""What an observer of a line sees of idle and busy clients, and that docs/security.md says so.

The figures of that page are read from it and measured here: the client's machine with the real
schedule, on a pretended mixnet, in virtual time.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nymproxy.mixnet.machine import Departures
from nymproxy.mixnet.traffic import DEFAULT, PROFILES
from tests.machine.conversations import Echo, make_mixnet
from tests.machine.line import Line, gaps, two_sample_p_value
from tests.machine.transfers import FAULTS, SETTLED_SECONDS, Transfer, rate

if TYPE_CHECKING:
    from nymproxy.mixnet.machine import Pacing

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `(default|fast)` \| ([^|]+?) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)
MUCH = 50_000_000  # bytes: more than leaves while anybody looks


class Seen(NamedTuple):
    """Packets a second, in each direction."""

    sent: float
    pushed: float


def rows() -> list[tuple[str, str, float, float]]:
    """The table of the page."""
    page = (ROOT / "docs" / "security.md").read_text()
    return [(name, what, float(up), float(down)) for name, what, up, down in ROW.findall(page)]


@cache
def measured(profile: str) -> dict[str, Seen]:
    """What the table has a row for."""
    until = {"default": 48.0, "fast": 16.0}[profile]
    seen = {}
    for client, server, uploads, downloads in [
        ("idle", "", 0, 0),
        ("uploads", "a server to which a client uploads", MUCH, 0),
        ("downloads", "a server from which a client downloads", 0, MUCH),
    ]:
        transfer = Transfer(PROFILES[profile], uploads, downloads, seed=2)
        transfer.run(until)
        for what, line in ((client, transfer.line), (server, transfer.server_line)):
            seen[what] = Seen(rate(line.up, until), rate(line.down, until))
    return seen


def test_the_page_has_a_row_for_each() -> None:
    assert [(name, what) for name, what, _, _ in rows()] == [
        (name, what) for name in ("default", "fast") for what in measured(name) if what
    ]


@pytest.mark.parametrize(("profile", "what", "sent", "pushed"), rows())
def test_the_figures_of_the_page(profile: str, what: str, sent: float, pushed: float) -> None:
    seen = measured(profile)[what]
    assert seen.sent == pytest.approx(sent, rel=0.05)
    assert seen.pushed == pytest.approx(pushed, rel=0.08, abs=1.5)


def test_without_a_schedule_nothing_is_sent_but_data() -> None:
    """``bare``."""
    idle = Transfer(PROFILES["bare"])
    idle.run(60.0)
    assert rate(idle.line.up, 60.0) == rate(idle.line.down, 60.0) == 0
    busy = Transfer(PROFILES["bare"], uploads=400_000)
    busy.run(60.0)
    assert len(busy.line.up) > 240


@pytest.mark.parametrize("profile", ["default", "fast"])
def test_small_messages_both_ways_change_no_rate(profile: str) -> None:
    network = make_mixnet(3, FAULTS.of_packets())
    line = Line(network, "dialer")
    echo = Echo(network, PROFILES[profile], surbs=2)
    while network.agenda.now < 20.0:
        echo.run(len(echo.seconds) + 10)
    until = network.agenda.now
    seen, idle = Seen(rate(line.up, until), rate(line.down, until)), measured(profile)["idle"]
    assert seen.sent == pytest.approx(idle.sent, rel=0.08)
    assert seen.pushed == pytest.approx(idle.pushed, rel=0.08)


def settled_gaps(times: list[float], count: int) -> list[float]:
    return gaps([time for time in times if time > SETTLED_SECONDS])[:count]


def test_what_is_pushed_tells_an_upload_from_silence() -> None:
    """Less than a minute is enough, and what is sent tells nothing."""
    idle, upload = Transfer(DEFAULT), Transfer(DEFAULT, uploads=MUCH)
    for transfer in (idle, upload):
        transfer.run(48.0)
    sent, pushed = (
        [settled_gaps(getattr(each.line, way), 10_000) for each in (idle, upload)]
        for way in ("up", "down")
    )
    assert two_sample_p_value(*sent) > 0.01
    assert two_sample_p_value(*pushed) < 1e-20


def test_what_is_pushed_does_not_tell_a_download_from_silence() -> None:
    """10,000 gaps, at both ends; and it costs nothing."""
    unreturned = replace(DEFAULT, returns_cover=False)
    idle, download = Transfer(DEFAULT), Transfer(DEFAULT, downloads=MUCH, seed=2)
    plain = Transfer(unreturned, downloads=MUCH, seed=2)
    idle.run(200.0)
    download.run(200.0)
    plain.run(40.0)
    silence = settled_gaps(idle.line.down, 10_000)
    for line in (download.line, download.server_line):
        pushed = settled_gaps(line.down, 10_000)
        assert len(pushed) == 10_000
        assert two_sample_p_value(silence, pushed) > 0.01
    assert len(download.dialer.received) / 200 > 0.97 * len(plain.dialer.received) / 40
    assert two_sample_p_value(silence, settled_gaps(plain.line.down, 10_000)) < 1e-20
    assert rate(plain.line.down, 40.0) == pytest.approx(89, rel=0.08)
    assert rate(plain.server_line.down, 40.0) == pytest.approx(20, rel=0.08)


def test_the_end_of_a_download_shows() -> None:
    """For a third of a second fewer packets are pushed: covers are under way to the peer."""
    missing = 0.0
    for seed in range(5):
        download = Transfer(DEFAULT, downloads=300_000, seed=seed)
        while len(download.dialer.received) < 300_000:
            download.run(download.agenda.next_time)
        end = download.agenda.now
        download.run(end + 1.0)
        missing += 55 * 0.4 - sum(end <= time < end + 0.4 for time in download.line.down)
    assert 5 < missing / 5 < 22


class _CoverWhileSending:
    """Half of the slots carry cover, whatever waits."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._random = random.Random(5)

    def next_departure(self, sendable: int) -> float:
        return self._pacing.next_departure(sendable)

    def due(self, now: float, sendable: int) -> Departures:
        packets, covered, loop_covers = self._pacing.due(now, sendable)
        kept = sum(self._random.random() < 0.5 for _ in range(packets))
        return Departures(packets - kept, covered=covered, loop_covers=loop_covers + kept)

    def written(self, now: float, waited_seconds: float) -> None:
        self._pacing.written(now, waited_seconds)


def test_cover_that_goes_on_while_data_is_sent_does_not_hide_it() -> None:
    """Why there is no such option: half of the speed is gone, and all can still be seen."""
    idle, upload = Transfer(DEFAULT), Transfer(DEFAULT, uploads=MUCH)
    for transfer in (idle, upload):
        machine = transfer.dialer.client.machine
        machine._pacing = _CoverWhileSending(machine._pacing)
        transfer.run(68.0)
    assert len(upload.acceptor.received) < 45_000 * 68
    assert rate(upload.line.down, 68.0) == pytest.approx(30, rel=0.08)
    first, second = (settled_gaps(each.line.down, 10_000) for each in (idle, upload))
    assert two_sample_p_value(first, second) < 1e-20
