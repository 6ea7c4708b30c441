"""The patch that ``nymproxy-migrate rewrite --rust-suggest`` writes, compiled in three shapes."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from interop.programs import INTEROP, ProgramMissing, cargo, require_cargo

SHAPES = INTEROP / "shapes"
_PINNED = INTEROP / "peers" / "Cargo.lock"
_TOOL = (sys.executable, "-m", "nymproxy_migrate")
_WORK_LEFT = 1
logger = logging.getLogger("nymproxy.interop")


def shapes() -> list[Path]:
    """Return the programs that are patched, each a folder."""
    return sorted(path.parent for path in SHAPES.glob("*/Cargo.toml"))


def patched(shape: Path, folder: Path) -> Path:
    """Make a copy of a program in a folder, with the suggested patch applied.

    Raises:
        ProgramMissing: the tool suggests nothing, or its patch does not apply.
    """
    tree, suggestion = folder / shape.name, folder / "suggestion"
    shutil.copytree(shape, tree)
    done = subprocess.run(
        [*_TOOL, "rewrite", "--rust-suggest", str(suggestion), str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != _WORK_LEFT:
        raise ProgramMissing(f"{shape.name}: no patch was suggested; {done.stderr.strip()}")
    for line in done.stdout.splitlines()[1:]:
        # What the tool prints is what its user does.
        subprocess.run(["sh", "-ec", line], check=True, stdout=subprocess.DEVNULL)
    return tree


def compile_all() -> bool:
    """Patch and compile each shape; say which do not compile.

    Raises:
        ProgramMissing: there is no cargo, or a patch cannot be made.
    """
    program, passed = require_cargo(), True
    logger.info("compiling %d programs; the first time takes about ten minutes", len(shapes()))
    for shape in shapes():
        with tempfile.TemporaryDirectory(prefix="nymproxy-shapes-") as folder:
            tree = patched(shape, Path(folder))
            # The versions that the peers are built with, so that what is built is used again.
            shutil.copyfile(_PINNED, tree / "Cargo.lock")
            try:
                cargo(program, "build", "--release", "--manifest-path", str(tree / "Cargo.toml"))
            except ProgramMissing:
                logger.warning("the patch of %s does not compile", shape.name)
                passed = False
            else:
                logger.info("the patch of %s compiles", shape.name)
    return passed
