"""Everything that a figure depends on and that is not in its own line: the ``env`` record."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.records import ENVIRONMENT, Record
from benchmarks.usage import load_average
from nymproxy.legacy import LegacySettings
from nymproxy.mixnet.sphinx.constants import VERSION as SPHINX_VERSION
from nymproxy.mixnet.traffic import PROFILES
from nymproxy.stream.traits import StreamOptions

ROOT = Path(__file__).resolve().parent.parent
HOPS = 4
DEPENDENCIES = ("anyio", "blake3", "cryptography", "h11", "httpx", "pynacl", "websockets")


def _commit() -> str:
    """Return the commit, with ``+`` when the package differs from it; ``unknown`` outside git."""
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", "nymproxy", "benchmarks"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in DEPENDENCIES}


def _profiles() -> dict[str, dict[str, Any]]:
    return {
        name: {
            "mean_hop_delay_seconds": profile.packet_delay_seconds,
            "mean_sending_delay_seconds": profile.sending_delay_seconds,
            "mean_loop_cover_delay_seconds": profile.loop_cover_delay_seconds,
            "cover": profile.sending_delay_seconds is not None,
            "packet_bytes": profile.primary_packet_size.packet_length,
        }
        for name, profile in PROFILES.items()
    }


def describe_machine() -> dict[str, Any]:
    """Return what stays the same from run to run of one installation on one machine."""
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "nymproxy": metadata.version("nymproxy"),
        "dependencies": _versions(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "backend": "asyncio",
    }


def environment_record(
    *, seed: int, scale: str, processes: int, runs: int, t: float | None = None
) -> Record:
    """Return the ``env`` line.

    Args:
        seed: of the payload and of the order.
        scale: ``quick`` or ``full``.
        processes: of the localnet.
        runs: of each cell.
        t: Unix seconds.
    """
    options, settings = StreamOptions(), LegacySettings()
    facts: dict[str, Any] = {
        **describe_machine(),
        "node_kind": "python localnet, 3 mix nodes and 2 gateways",
        "node_processes": processes,
        "hops": HOPS,
        "sphinx_version": SPHINX_VERSION,
        "profiles": _profiles(),
        "surbs": {
            "stream": {"open": options.open_surbs, "data": options.max_data_surbs},
            "legacy": {"first": settings.surbs_initial, "later": settings.surbs_per_message},
        },
        "loss_model": "none",
        "log_level": "default",
        "scale": scale,
        "runs": runs,
        "seed": seed,
    }
    env_id = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return Record(
        workload=ENVIRONMENT,
        profile="none",
        peer_client="python",
        peer_server="python",
        params={**facts, "load_average": load_average()},
        sample=None,
        t=time.time() if t is None else t,
        env_id=env_id,
    )
