"""Log levels from RUST_LOG, and the two formats."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from nymproxy.cli.logs import LogFilter, parse_rust_log, set_up_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger("nymproxy")
    saved = root.handlers[:], root.level, root.propagate
    yield
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


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(as_json=True, rust_log="info")
    logging.getLogger("nymproxy.x").info("Client created: %s", "abc")
    line = json.loads(capsys.readouterr().err)
    assert line["level"] == "info"
    assert line["logger"] == "nymproxy.x"
    assert line["message"] == "Client created: abc"
    assert line["time"].endswith("Z")


def test_module_filters_are_named_as_without_effect(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(as_json=False, rust_log="info,nym_sdk=debug")
    assert "nym_sdk=debug" in capsys.readouterr().err


def test_text_lines_hold_message_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(as_json=False, rust_log="warn")
    logger = logging.getLogger("nymproxy.x")
    logger.info("unseen")
    logger.warning("seen")
    captured = capsys.readouterr().err
    assert "unseen" not in captured
    assert "WARNING nymproxy.x: seen" in captured
