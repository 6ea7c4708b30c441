"""The patches of three shapes of Rust programs: made, applied, and told of when compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from interop import patches
from interop.__main__ import EXIT_FAILED, EXIT_OK, main
from interop.programs import ProgramMissing
from nymproxy_migrate.formats import syntax
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.scan import scan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("shape", patches.shapes(), ids=lambda shape: shape.name)
def test_a_patch_applies_and_leaves_nothing_of_the_old_module(shape: Path, tmp_path: Path) -> None:
    before = {each.code for each in scan([shape]).findings}
    assert before & {"NYM010", "NYM011"}
    tree = patches.patched(shape, tmp_path)
    after = [each for each in scan([tree]).findings if each.code.startswith("NYM01")]
    assert {each.code for each in after} <= {"NYM014"}
    for path in tree.rglob("*.rs"):
        assert not syntax.parse("rust", Text.whole(path.read_bytes())).has_error


def test_three_shapes_that_public_programs_have() -> None:
    assert [shape.name for shape in patches.shapes()] == ["multi", "single", "workspace"]


def test_a_tree_without_anything_to_patch(tmp_path: Path) -> None:
    (tmp_path / "shape").mkdir()
    with pytest.raises(ProgramMissing, match="no patch was suggested"):
        patches.patched(tmp_path / "shape", tmp_path / "copy")


def test_what_does_not_compile_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cargo = tmp_path / "cargo"
    cargo.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\necho cargo 1.90.0\n'
        'case "$*" in *multi*) exit 1;; esac\n'
    )
    cargo.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for shape, code in (("multi", EXIT_FAILED), ("single", EXIT_OK)):
        monkeypatch.setattr(patches, "shapes", lambda shape=shape: [patches.SHAPES / shape])
        assert main(["--only", "patches"]) == code
    calls = (tmp_path / "calls").read_text()
    assert calls.count("build --release --manifest-path") == 2
