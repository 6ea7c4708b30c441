"""Logs whose file is full, or gone with its folder."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nymproxy.operating import log_file as module
from nymproxy.operating.log_file import LogFile

if TYPE_CHECKING:
    from collections.abc import Iterator


def logger_of(path: Path) -> Iterator[logging.Logger]:
    handler = LogFile(path)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    yield logger
    handler.close()


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[logging.Logger]:
    (tmp_path / "logs").mkdir()
    yield from logger_of(tmp_path / "logs" / "a.log")


def test_a_folder_that_goes_ends_nothing(
    logger: logging.Logger,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error of opening it again came out of whatever wanted to log something."""
    logger.warning("first")
    shutil.rmtree(tmp_path / "logs")
    for _ in range(3):
        logger.warning("lost")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "a.log cannot be written: No such file or directory" in said
    monkeypatch.setattr(module, "SAY_AGAIN_SECONDS", 0.0)
    (tmp_path / "logs").mkdir()
    logger.warning("again, with half a character: %s", "\ud800")
    assert (tmp_path / "logs" / "a.log").read_text() == r"again, with half a character: \ud800" "\n"


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """It was a traceback for each line."""
    for logger in logger_of(Path("/dev/full")):
        for _ in range(3):
            logger.warning("lost")
    said = capsys.readouterr().err
    assert said == "nymproxy: the log /dev/full cannot be written: No space left on device\n"


def test_faults_of_ours_are_shown(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.warning("%d", "no number")
    assert "--- Logging error ---" in capsys.readouterr().err
