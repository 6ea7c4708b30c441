"""What the checks get, and what they give."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy import NetworkDetails, NodeIdentity
    from nymproxy_migrate.doctor.endpoint import Endpoint


class Verdict(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: stable, such as ``key-files``.
        verdict: how it ended.
        cause: what was seen. It goes into bug reports: no keys, addresses or values of env files.
        next: what to do about it; empty where there is nothing to do.
        detail: what only the operator's own terminal shows, such as a host name.
    """

    name: str
    verdict: Verdict
    cause: str
    next: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the flags say.

    Attributes:
        env_path: the env file; None for mainnet.
        config_dir: the client directory as it was given; None for no look at one.
        gateway: the gateway that must be there.
        listen_address: where the rewritten client is to listen.
        listen_port: its port; None for no look.
        upstream: the service behind the rewritten server; None for no look.
        program: what is to start nymproxy, as a unit or a script names it; None for no look.
        unit: a systemd unit that starts it; None for no look at one.
        deadline_seconds: how long one check may take.
    """

    env_path: Path | None = None
    config_dir: Path | None = None
    gateway: NodeIdentity | None = None
    listen_address: str = "127.0.0.1"
    listen_port: int | None = None
    upstream: Endpoint | None = None
    program: str | None = None
    unit: Path | None = None
    deadline_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Network:
    """The network that the env file describes; None for none."""

    details: NetworkDetails | None
