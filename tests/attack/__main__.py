"""``python -m tests.attack [ARGUMENTS OF PYTEST]``: run the attacks, and print their figures.

Exits as pytest does: 0 only if every attack was held. ``-m exhaustive`` runs the long ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.attack.table import FigureCollector


def main(arguments: list[str]) -> int:
    collector = FigureCollector()
    folder = str(Path(__file__).parent)
    # pytest would have liked to be first to import the package that this module is in.
    ignored = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
    if not any(Path(each.partition("::")[0]).exists() for each in arguments):
        arguments = [folder, *arguments]
    code = pytest.main(["-q", *ignored, *arguments], plugins=[collector])
    print(collector.table())
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
