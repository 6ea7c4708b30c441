"""The choices of options."""

from __future__ import annotations

import enum


class Target(enum.StrEnum):
    """The wire of rewritten clients."""

    AUTO = "auto"
    LEGACY = "legacy"
    STREAM = "stream"


class Sidecar(enum.StrEnum):
    """The kinds of files that run a proxy beside a program."""

    SYSTEMD = "systemd"
    COMPOSE = "compose"


class Format(enum.StrEnum):
    """How findings are reported."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


class ParityFormat(enum.StrEnum):
    """How a comparison is reported."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    HTML = "html"
