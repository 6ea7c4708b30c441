"""A parity report as data: ``schemas/parity.schema.json``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nymproxy_migrate.parity.model import ParityReport

SCHEMA_VERSION = 1


def render(report: ParityReport) -> str:
    """Return the whole document."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": report.tool_version,
        "started_at": report.started_at,
        "seconds": report.seconds,
        "against": report.against,
        "compared": dict(report.compared),
        "command": report.command,
        "machine": report.machine,
        "worse": [row.name for row in report.worse],
        "rows": [asdict(row) for row in report.rows],
        "series": {
            "echo_round_trips_seconds": report.echo_round_trips_seconds,
            "goodput": [asdict(series) for series in report.goodput],
            "packets": [asdict(series) for series in report.packets],
            "mix_delays": None if report.mix_delays is None else asdict(report.mix_delays),
        },
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"
