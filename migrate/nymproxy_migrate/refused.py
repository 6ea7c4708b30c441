"""The one error for what the tool will not do: it says why, and nothing has been changed."""

from __future__ import annotations


class Refused(Exception):
    """The tool does not do it; the message has the reason and what to do next."""
