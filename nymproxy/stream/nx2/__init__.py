"""NX2: streams between two peers of ours that are complete, sealed, alive, and that move.

docs/wire.md is the specification. The machines here are pure: frames and times in, frames and
deadlines out.
"""

from __future__ import annotations
