"""The fields of a log line, beside its text: what a program reads of it.

``logger.info("Session %d began", n, extra=fields("session-began", session=n))``. Names of events
and of fields are stable (docs/operating.md); no address, tag or payload is one.
"""

from __future__ import annotations

ATTRIBUTE = "nymproxy_fields"
"""The attribute of a record that holds them."""


def fields(event: str, **values: object) -> dict[str, dict[str, object]]:
    """Return the ``extra`` of a log call."""
    return {ATTRIBUTE: {"event": event, **values}}
