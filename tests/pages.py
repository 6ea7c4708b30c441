"""The pages of the documentation, and what their blocks hold."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "migrating.md"
"""A page whose blocks are run one after another, by ``tests/test_migrating_guide.py``."""
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")})


def blocks(language: str) -> list[tuple[Path, str]]:
    """Return the blocks of a language on all pages but the guide, and the page of each."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [
        (page, block)
        for page in PAGES
        if page != GUIDE
        for block in pattern.findall(page.read_text())
    ]
