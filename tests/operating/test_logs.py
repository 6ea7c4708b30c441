"""Log levels from RUST_LOG, and the two formats."""

from __future__ import annotations

import json
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest

from nymproxy._log_fields import fields
from nymproxy.operating.logs import (
    LogFilter,
    LogOptions,
    forward_name,
    parse_rust_log,
    set_up_logging,
    write_fatal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger("nymproxy")
    saved = root.handlers[:], root.level, root.propagate
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.propagate = saved[0], saved[2]
    root.setLevel(saved[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, LogFilter(logging.INFO)),
        ("", LogFilter(logging.INFO)),
        ("debug", LogFilter(logging.DEBUG)),
        ("TRACE", LogFilter(logging.DEBUG)),
        ("off", LogFilter(logging.CRITICAL + 1)),
        ("warn,nym_sdk=debug", LogFilter(logging.WARNING, ("nym_sdk=debug",))),
        ("nym_sdk=debug", LogFilter(logging.INFO, ("nym_sdk=debug",))),
    ],
)
def test_rust_log(text: str | None, expected: LogFilter) -> None:
    assert parse_rust_log(text) == expected


def test_a_line_of_text_is_one_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogOptions(), rust_log=None)
    logging.getLogger("nymproxy.x").warning("it says %r and %s", "ü", "\x9b31m\nforged \ud800")
    said = capsys.readouterr().err
    assert said.endswith("it says 'ü' and ?31m?forged \\ud800\n")
    assert said.count("\n") == 1


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogOptions(as_json=True), rust_log="info")
    logging.getLogger("nymproxy.x").info("Client created: %s", "abc")
    line = json.loads(capsys.readouterr().err)
    assert line["level"] == "info"
    assert line["logger"] == "nymproxy.x"
    assert line["message"] == "Client created: abc"
    assert line["time"].endswith("Z")


def test_module_filters_are_named_as_without_effect(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogOptions(), rust_log="info,nym_sdk=debug")
    assert "nym_sdk=debug" in capsys.readouterr().err


def test_text_lines_hold_message_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogOptions(), rust_log="warn")
    logger = logging.getLogger("nymproxy.x")
    logger.info("unseen")
    logger.warning("seen")
    captured = capsys.readouterr().err
    assert "unseen" not in captured
    assert "WARNING nymproxy.x: seen" in captured


def test_fields_stand_beside_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogOptions(as_json=True), rust_log=None)
    extra = fields("session-ended", session=3, reason="finished", seconds=0.5)
    logging.getLogger("nymproxy.x").info("Session %d is over", 3, extra=extra)
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "session-ended"
    assert (line["session"], line["reason"], line["seconds"]) == (3, "finished", 0.5)


def test_single_sessions_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogOptions(sessions=False), rust_log=None)
    logger = logging.getLogger("nymproxy.x")
    logger.warning("left out", extra=fields("session-cut", session=3))
    logger.warning("kept", extra=fields("gateway-lost"))
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == ["kept"]


def test_a_level_that_is_given_wins_over_the_variable(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogOptions(level="error"), rust_log="debug")
    logging.getLogger("nymproxy.x").warning("unseen")
    assert capsys.readouterr().err == ""


def test_a_log_file_may_be_moved_away(tmp_path: Path) -> None:
    file, moved = tmp_path / "proxy.log", tmp_path / "proxy.log.1"
    set_up_logging(LogOptions(file=file), rust_log=None)
    logger = logging.getLogger("nymproxy.x")
    logger.info("first")
    file.rename(moved)
    logger.info("second")
    assert "first" in moved.read_text()
    assert "second" in file.read_text()


def test_the_fatal_line_is_as_the_logs_are(capsys: pytest.CaptureFixture[str]) -> None:
    write_fatal("no directory", "directory-unavailable", as_json=False)
    write_fatal("no directory", "directory-unavailable", as_json=True)
    text, line = capsys.readouterr().err.splitlines()
    assert text == "nymproxy: no directory"
    fields_of = json.loads(line)
    assert (fields_of["event"], fields_of["code"]) == ("fatal", "directory-unavailable")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_forward_does_names_it_once(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def log(name: str) -> str:
        forward_name.set(name)
        logging.getLogger("nymproxy.legacy").info("Session 3 ended")
        extra = fields("ready", forward=name)
        logging.getLogger("nymproxy.operating").info("server %s: ready", name, extra=extra)
        return capsys.readouterr().err

    set_up_logging(LogOptions(as_json=as_json), rust_log=None)
    named, ready = copy_context().run(log, "ssh").splitlines()
    if as_json:
        assert [json.loads(line)["forward"] for line in (named, ready)] == ["ssh", "ssh"]
    else:
        assert named.endswith("nymproxy.legacy [ssh]: Session 3 ended")
        assert ready.endswith("nymproxy.operating: server ssh: ready")
    unnamed, _ = copy_context().run(log, "").splitlines()
    assert "ssh" not in unnamed
    assert "forward" not in unnamed
