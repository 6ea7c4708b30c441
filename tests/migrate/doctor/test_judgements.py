"""The judgements alone: clocks, versions, key files, and what the report shows."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy import __version__
from nymproxy_migrate.doctor import machine, network, report, storage
from nymproxy_migrate.doctor.endpoint import Endpoint
from nymproxy_migrate.doctor.model import Check, Verdict
from nymproxy_migrate.refused import Refused

NOW = 1_790_000_000.0


@given(
    ahead=st.integers(-10_000, 10_000),
    fraction=st.floats(0, 0.999),
    there=st.floats(0, 5),
    back=st.floats(0, 5),
)
def test_a_skew_is_never_overstated(ahead: int, fraction: float, there: float, back: float) -> None:
    """Rounding to seconds and time on the way are never taken for a wrong clock."""
    before = NOW + fraction
    date = formatdate(int(before + there - ahead), usegmt=True)
    skew = network.skew_of(date, before, before + there + back)
    assert skew is not None
    assert abs(skew) <= abs(ahead) + 1e-3
    assert skew * ahead >= 0
    assert abs(ahead) - abs(skew) <= there + back + 1.001


@given(st.text())
def test_any_header_is_taken(date: str) -> None:
    skew = network.skew_of(date, NOW, NOW)
    assert skew is None or isinstance(skew, float)


@pytest.mark.parametrize(
    ("skew", "verdict"),
    [
        (None, Verdict.SKIPPED),
        (0.0, Verdict.OK),
        (-29.9, Verdict.OK),
        (30.0, Verdict.WARN),
        (-119.0, Verdict.WARN),
        (120.0, Verdict.FAIL),
        (-1e6, Verdict.FAIL),
    ],
)
def test_clocks(skew: float | None, verdict: Verdict) -> None:
    assert network.judge_clock(skew).verdict is verdict


def test_gateways() -> None:
    assert network.judge_gateways(None, None, 0).verdict is Verdict.FAIL
    assert network.judge_gateways(None, None, 3).verdict is Verdict.OK


def test_versions() -> None:
    assert machine.judge_python((3, 10), "3.10.1").verdict is Verdict.FAIL
    assert machine.judge_python((3, 14), "3.14.0").verdict is Verdict.OK
    assert machine.judge_nymproxy(None, "").verdict is Verdict.WARN
    other = machine.judge_nymproxy("/usr/bin/nymproxy", "nymproxy 0.0.1")
    assert other.verdict is Verdict.WARN
    assert "/usr" not in other.cause
    ours = machine.judge_nymproxy("/usr/bin/nymproxy", f"nymproxy {__version__}")
    assert ours.verdict is Verdict.OK
    assert machine.judge_old_programs([]).verdict is Verdict.OK
    assert machine.judge_old_programs(["nym-proxy-client"]).verdict is Verdict.WARN


def test_the_programs_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "nym-proxy-server"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    check = machine.check_old_programs()
    assert (check.verdict, check.cause[:25]) == (Verdict.WARN, "on PATH: nym-proxy-server")


async def test_nymproxy_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = tmp_path / "nymproxy"
    ours.write_text(f"#!/bin/sh\necho nymproxy {__version__}\n")
    ours.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (await machine.check_nymproxy()).verdict is Verdict.OK
    ours.write_text("#!/bin/sh\nprintf '\\033[2J\\377'\n")
    assert (await machine.check_nymproxy()).verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:22", Endpoint("localhost", 22)),
        ("[::1]:8080", Endpoint("::1", 8080)),
        (" 10.0.0.1:1 ", Endpoint("10.0.0.1", 1)),
    ],
)
def test_endpoints(text: str, expected: Endpoint) -> None:
    assert Endpoint.parse(text) == expected
    assert str(expected) == text.strip()


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:0", "a:65536", "::1:1", "a:-1", "a:²"])
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(Refused, match="no HOST:PORT"):
        Endpoint.parse(text)


def test_unreadable_key_files() -> None:
    found = [
        storage.KeyFile(name, 0o600, name != "ack_key.pem")
        for name in (*storage.PRIVATE, *storage.PUBLIC)
    ]
    check = storage.judge_key_files(Path("/x"), found)
    assert (check.verdict, check.cause) == (Verdict.FAIL, "not readable: ack_key.pem")


def test_the_text_cannot_steer_the_terminal() -> None:
    check = Check("port", Verdict.FAIL, "a\x1b[2J", "b\nc", "d\x07")
    text = report.render_text([check])
    assert (
        text == "fail     port  a?[2J (d?); next: b?c\n1 checks: 0 ok, 0 warn, 1 fail, 0 skipped\n"
    )


def test_quiet_shows_what_is_to_be_done() -> None:
    checks = [
        Check("one", Verdict.OK, "fine"),
        Check("two", Verdict.WARN, "look", "here"),
        Check("three", Verdict.SKIPPED, "no"),
    ]
    text = report.render_text(checks, quiet=True)
    assert text.splitlines()[0] == "warn     two    look; next: here"
    assert text.count("\n") == 2
